//! The committees of the generated Congress: real names and codes, those of a parent ending in 00.

use crate::sandbox::world::Committee;

/// Code, name, type. The first letter of a code is the chamber.
const COMMITTEES: &[(&str, &str, &str)] = &[
    (
        "hlig00",
        "Intelligence (Permanent Select) Committee",
        "Select",
    ),
    (
        "hlig01",
        "Central Intelligence Agency Subcommittee",
        "Subcommittee",
    ),
    (
        "hlig02",
        "National Security Agency and Cyber Subcommittee",
        "Subcommittee",
    ),
    (
        "hlig04",
        "Subcommittee on Defense Intelligence and Overhead Architecture",
        "Subcommittee",
    ),
    (
        "hlig06",
        "National Intelligence Enterprise Subcommittee",
        "Subcommittee",
    ),
    (
        "hlzs00",
        "Select Committee on the Strategic Competition Between the United States and the Chinese Communist Party",
        "Select",
    ),
    ("hsag00", "Agriculture Committee", "Standing"),
    (
        "hsag14",
        "Conservation, Research, and Biotechnology Subcommittee",
        "Subcommittee",
    ),
    (
        "hsag15",
        "Nutrition and Foreign Agriculture Subcommittee",
        "Subcommittee",
    ),
    (
        "hsag16",
        "General Farm Commodities, Risk Management, and Credit Subcommittee",
        "Subcommittee",
    ),
    (
        "hsag18",
        "Forestry and Horticulture Subcommittee",
        "Subcommittee",
    ),
    (
        "hsag22",
        "Commodity Markets, Digital Assets, and Rural Development Subcommittee",
        "Subcommittee",
    ),
    (
        "hsag29",
        "Livestock, Dairy, and Poultry Subcommittee",
        "Subcommittee",
    ),
    ("hsap00", "Appropriations Committee", "Standing"),
    (
        "hsap01",
        "Agriculture, Rural Development, Food and Drug Administration, and Related Agencies Subcommittee",
        "Subcommittee",
    ),
    ("hsap02", "Defense Subcommittee", "Subcommittee"),
    (
        "hsap06",
        "Interior, Environment, and Related Agencies Subcommittee",
        "Subcommittee",
    ),
    (
        "hsap07",
        "Departments of Labor, Health and Human Services, Education, and Related Agencies Subcommittee",
        "Subcommittee",
    ),
    ("hsas00", "Armed Services Committee", "Standing"),
    ("hsas02", "Military Personnel Subcommittee", "Subcommittee"),
    ("hsas03", "Readiness Subcommittee", "Subcommittee"),
    (
        "hsas25",
        "Tactical Air and Land Forces Subcommittee",
        "Subcommittee",
    ),
    (
        "hsas26",
        "Intelligence and Special Operations Subcommittee",
        "Subcommittee",
    ),
    ("hsba00", "Financial Services Committee", "Standing"),
    (
        "hsba04",
        "Housing and Insurance Subcommittee",
        "Subcommittee",
    ),
    (
        "hsba09",
        "Oversight and Investigations Subcommittee",
        "Subcommittee",
    ),
    (
        "hsba10",
        "National Security, Illicit Finance, and International Financial Institutions Subcommittee",
        "Subcommittee",
    ),
    ("hsba16", "Capital Markets Subcommittee", "Subcommittee"),
    ("hsbu00", "Budget Committee", "Standing"),
    ("hsed00", "Education and Workforce Committee", "Standing"),
    (
        "hsed02",
        "Health, Employment, Labor, and Pensions Subcommittee",
        "Subcommittee",
    ),
    (
        "hsed10",
        "Workforce Protections Subcommittee",
        "Subcommittee",
    ),
    (
        "hsed13",
        "Higher Education and Workforce Development Subcommittee",
        "Subcommittee",
    ),
    (
        "hsed14",
        "Early Childhood, Elementary, and Secondary Education Subcommittee",
        "Subcommittee",
    ),
    ("hsfa00", "Foreign Affairs Committee", "Standing"),
    (
        "hsfa05",
        "East Asia and Pacific Subcommittee",
        "Subcommittee",
    ),
    (
        "hsfa06",
        "Global Health, Global Human Rights, and International Organizations Subcommittee",
        "Subcommittee",
    ),
    ("hsfa14", "Europe Subcommittee", "Subcommittee"),
    (
        "hsgo00",
        "Oversight and Government Reform Committee",
        "Standing",
    ),
    (
        "hsgo05",
        "Economic Growth, Energy Policy, and Regulatory Affairs Subcommittee",
        "Subcommittee",
    ),
    (
        "hsgo12",
        "Cybersecurity, Information Technology, and Government Innovation Subcommittee",
        "Subcommittee",
    ),
    (
        "hsgo27",
        "Health Care and Financial Services Subcommittee",
        "Subcommittee",
    ),
    (
        "hsgo33",
        "Delivering on Government Efficiency Subcommittee",
        "Subcommittee",
    ),
    ("hsha00", "Committee on House Administration", "Standing"),
    ("hsha06", "Oversight Subcommittee", "Subcommittee"),
    ("hsha08", "Elections Subcommittee", "Subcommittee"),
    ("hshm00", "Homeland Security Committee", "Standing"),
    (
        "hshm07",
        "Transportation and Maritime Security Subcommittee",
        "Subcommittee",
    ),
    (
        "hshm08",
        "Cybersecurity and Infrastructure Protection Subcommittee",
        "Subcommittee",
    ),
    (
        "hshm09",
        "Oversight, Investigations, and Accountability Subcommittee",
        "Subcommittee",
    ),
    (
        "hshm11",
        "Border Security and Enforcement Subcommittee",
        "Subcommittee",
    ),
    ("hsif00", "Energy and Commerce Committee", "Standing"),
    (
        "hsif02",
        "Oversight and Investigations Subcommittee",
        "Subcommittee",
    ),
    ("hsif03", "Energy Subcommittee", "Subcommittee"),
    ("hsif14", "Health Subcommittee", "Subcommittee"),
    (
        "hsif16",
        "Communications and Technology Subcommittee",
        "Subcommittee",
    ),
    (
        "hsif17",
        "Commerce, Manufacturing, and Trade Subcommittee",
        "Subcommittee",
    ),
    ("hsii00", "Natural Resources Committee", "Standing"),
    (
        "hsii06",
        "Energy and Mineral Resources Subcommittee",
        "Subcommittee",
    ),
    ("hsii10", "Federal Lands Subcommittee", "Subcommittee"),
    (
        "hsii13",
        "Water, Wildlife and Fisheries Subcommittee",
        "Subcommittee",
    ),
    (
        "hsii15",
        "Oversight and Investigations Subcommittee",
        "Subcommittee",
    ),
    (
        "hsii24",
        "Indian and Insular Affairs Subcommittee",
        "Subcommittee",
    ),
    ("hsju00", "Judiciary Committee", "Standing"),
    (
        "hsju01",
        "Immigration Integrity, Security, and Enforcement Subcommittee",
        "Subcommittee",
    ),
    (
        "hsju03",
        "Courts, Intellectual Property, Artificial Intelligence, and the Internet Subcommittee",
        "Subcommittee",
    ),
    (
        "hsju05",
        "Administrative State, Regulatory Reform, and Antitrust Subcommittee",
        "Subcommittee",
    ),
    (
        "hsju08",
        "Crime and Federal Government Surveillance Subcommittee",
        "Subcommittee",
    ),
    (
        "hsju10",
        "Constitution and Limited Government Subcommittee",
        "Subcommittee",
    ),
    (
        "hspw00",
        "Transportation and Infrastructure Committee",
        "Standing",
    ),
    (
        "hspw02",
        "Water Resources and Environment Subcommittee",
        "Subcommittee",
    ),
    ("hspw05", "Aviation Subcommittee", "Subcommittee"),
    (
        "hspw07",
        "Coast Guard and Maritime Transportation Subcommittee",
        "Subcommittee",
    ),
    (
        "hspw12",
        "Highways and Transit Subcommittee",
        "Subcommittee",
    ),
    ("hsru00", "Rules Committee", "Standing"),
    (
        "hsru02",
        "Legislative and Budget Process Subcommittee",
        "Subcommittee",
    ),
    (
        "hsru04",
        "Rules and Organization of the House Subcommittee",
        "Subcommittee",
    ),
    ("hssm00", "Small Business Committee", "Standing"),
    (
        "hssm21",
        "Rural Development, Energy, and Supply Chains Subcommittee",
        "Subcommittee",
    ),
    (
        "hssm22",
        "Innovation, Entrepreneurship, and Workforce Development Subcommittee",
        "Subcommittee",
    ),
    (
        "hssm23",
        "Contracting and Infrastructure Subcommittee",
        "Subcommittee",
    ),
    (
        "hssm24",
        "Oversight, Investigations, and Regulations",
        "Subcommittee",
    ),
    (
        "hssy00",
        "Science, Space, and Technology Committee",
        "Standing",
    ),
    (
        "hssy15",
        "Research and Technology Subcommittee",
        "Subcommittee",
    ),
    (
        "hssy16",
        "Space and Aeronautics Subcommittee",
        "Subcommittee",
    ),
    ("hssy18", "Environment Subcommittee", "Subcommittee"),
    ("hssy20", "Energy Subcommittee", "Subcommittee"),
    ("hsvr00", "Veterans' Affairs Committee", "Standing"),
    ("hsvr03", "Health Subcommittee", "Subcommittee"),
    (
        "hsvr08",
        "Oversight and Investigations Subcommittee",
        "Subcommittee",
    ),
    (
        "hsvr09",
        "Disability Assistance and Memorial Affairs Subcommittee",
        "Subcommittee",
    ),
    (
        "hsvr10",
        "Economic Opportunity Subcommittee",
        "Subcommittee",
    ),
    ("hswm00", "Ways and Means Committee", "Standing"),
    ("hswm01", "Social Security Subcommittee", "Subcommittee"),
    ("hswm02", "Health Subcommittee", "Subcommittee"),
    ("hswm03", "Work and Welfare Subcommittee", "Subcommittee"),
    ("hswm04", "Trade Subcommittee", "Subcommittee"),
    (
        "jcse00",
        "Commission on Security and Cooperation in Europe (U.S. Helsinki Commission)",
        "Commission or Caucus",
    ),
    ("jsec00", "Joint Economic Committee", "Joint"),
    (
        "jsec03",
        "Economic Goals and Intergovernmental Policy Subcommittee",
        "Subcommittee",
    ),
    ("jslc00", "Joint Committee on the Library", "Joint"),
    ("jspr00", "Joint Committee on Printing", "Joint"),
    ("jstx00", "Joint Committee on Taxation", "Joint"),
    ("slia00", "Indian Affairs Committee", "Standing"),
    ("slin00", "Intelligence (Select) Committee", "Select"),
    ("spag00", "Aging (Special) Committee", "Special"),
    (
        "ssaf00",
        "Agriculture, Nutrition, and Forestry Committee",
        "Standing",
    ),
    (
        "ssaf13",
        "Commodities, Risk Management, and Trade Subcommittee",
        "Subcommittee",
    ),
    (
        "ssaf14",
        "Conservation, Climate, Forestry, and Natural Resources Subcommittee",
        "Subcommittee",
    ),
    (
        "ssaf15",
        "Rural Development and Energy Subcommittee",
        "Subcommittee",
    ),
    (
        "ssaf16",
        "Food and Nutrition, Specialty Crops, Organics, and Research Subcommittee",
        "Subcommittee",
    ),
    ("ssap00", "Appropriations Committee", "Standing"),
    (
        "ssap01",
        "Agriculture, Rural Development, Food and Drug Administration, and Related Agencies Subcommittee",
        "Subcommittee",
    ),
    (
        "ssap02",
        "Department of Defense Subcommittee",
        "Subcommittee",
    ),
    ("ssap08", "Legislative Branch Subcommittee", "Subcommittee"),
    (
        "ssap14",
        "Department of Homeland Security Subcommittee",
        "Subcommittee",
    ),
    ("ssas00", "Armed Services Committee", "Standing"),
    ("ssas13", "SeaPower Subcommittee", "Subcommittee"),
    ("ssas14", "Airland Subcommittee", "Subcommittee"),
    (
        "ssas15",
        "Readiness and Management Support Subcommittee",
        "Subcommittee",
    ),
    ("ssas16", "Strategic Forces Subcommittee", "Subcommittee"),
    (
        "ssbk00",
        "Banking, Housing, and Urban Affairs Committee",
        "Standing",
    ),
    (
        "ssbk04",
        "Securities, Insurance, and Investment Subcommittee",
        "Subcommittee",
    ),
    (
        "ssbk05",
        "National Security and International Trade and Finance Subcommittee",
        "Subcommittee",
    ),
    (
        "ssbk08",
        "Financial Institutions and Consumer Protection Subcommittee",
        "Subcommittee",
    ),
    (
        "ssbk09",
        "Housing, Transportation, and Community Development Subcommittee",
        "Subcommittee",
    ),
    ("ssbu00", "Budget Committee", "Standing"),
    (
        "sscm00",
        "Commerce, Science, and Transportation Committee",
        "Standing",
    ),
    (
        "sscm33",
        "Aviation Safety, Operations, and Innovation",
        "Subcommittee",
    ),
    (
        "sscm34",
        "Communication, Media, and Broadband",
        "Subcommittee",
    ),
    (
        "sscm35",
        "Consumer Protection, Product Safety, and Data Security",
        "Subcommittee",
    ),
    (
        "sscm36",
        "Oceans, Fisheries, Climate Change, and Manufacturing",
        "Subcommittee",
    ),
    (
        "sseg00",
        "Energy and Natural Resources Committee",
        "Standing",
    ),
    ("sseg01", "Energy Subcommittee", "Subcommittee"),
    (
        "sseg03",
        "Public Lands, Forests, and Mining Subcommittee",
        "Subcommittee",
    ),
    ("sseg04", "National Parks Subcommittee", "Subcommittee"),
    ("sseg07", "Water and Power Subcommittee", "Subcommittee"),
    (
        "ssev00",
        "Environment and Public Works Committee",
        "Standing",
    ),
    (
        "ssev08",
        "Transportation and Infrastructure Subcommittee",
        "Subcommittee",
    ),
    (
        "ssev09",
        "Superfund, Waste Management, and Regulatory Oversight Subcommittee",
        "Subcommittee",
    ),
    (
        "ssev10",
        "Clean Air and Nuclear Safety Subcommittee",
        "Subcommittee",
    ),
    (
        "ssev15",
        "Fisheries, Water, and Wildlife Subcommittee",
        "Subcommittee",
    ),
    ("ssfi00", "Finance Committee", "Standing"),
    (
        "ssfi02",
        "Social Security, Pensions, and Family Policy Subcommittee",
        "Subcommittee",
    ),
    ("ssfi10", "Health Care Subcommittee", "Subcommittee"),
    (
        "ssfi11",
        "Taxation and IRS Oversight Subcommittee",
        "Subcommittee",
    ),
    (
        "ssfi12",
        "Energy, Natural Resources, and Infrastructure Subcommittee",
        "Subcommittee",
    ),
    ("ssfr00", "Foreign Relations Committee", "Standing"),
    (
        "ssfr01",
        "Europe and Regional Security Cooperation Subcommittee",
        "Subcommittee",
    ),
    (
        "ssfr02",
        "East Asia, the Pacific, and International Cybersecurity Policy Subcommittee",
        "Subcommittee",
    ),
    (
        "ssfr06",
        "Western Hemisphere, Transnational Crime, Civilian Security, Democracy, Human Rights, and Global Women's Issues Subcommittee",
        "Subcommittee",
    ),
    (
        "ssfr07",
        "Near East, South Asia, Central Asia, and Counterterrorism Subcommittee",
        "Subcommittee",
    ),
    (
        "ssga00",
        "Homeland Security and Governmental Affairs Committee",
        "Standing",
    ),
    (
        "ssga01",
        "Permanent Subcommittee on Investigations",
        "Subcommittee",
    ),
    (
        "ssga20",
        "Emerging Threats and Spending Oversight Subcommittee",
        "Subcommittee",
    ),
    (
        "ssga22",
        "Governmental Operations and Border Management Subcommittee",
        "Subcommittee",
    ),
    (
        "sshr00",
        "Health, Education, Labor, and Pensions Committee",
        "Standing",
    ),
    (
        "sshr09",
        "Children and Families Subcommittee",
        "Subcommittee",
    ),
    (
        "sshr11",
        "Employment and Workplace Safety Subcommittee",
        "Subcommittee",
    ),
    (
        "sshr12",
        "Primary Health and Retirement Security Subcommittee",
        "Subcommittee",
    ),
    ("ssju00", "Judiciary Committee", "Standing"),
    (
        "ssju01",
        "Competition Policy, Antitrust, and Consumer Rights Subcommittee",
        "Subcommittee",
    ),
    (
        "ssju04",
        "Immigration, Citizenship, and Border Safety Subcommittee",
        "Subcommittee",
    ),
    ("ssju21", "Constitution Subcommittee", "Subcommittee"),
    (
        "ssju22",
        "Criminal Justice and Counterterrorism Subcommittee",
        "Subcommittee",
    ),
    (
        "ssju30",
        "Crime and Counterterrorism Subcommittee",
        "Subcommittee",
    ),
    ("ssra00", "Rules and Administration Committee", "Standing"),
    (
        "sssb00",
        "Small Business and Entrepreneurship Committee",
        "Standing",
    ),
    ("ssva00", "Veterans' Affairs Committee", "Standing"),
];

/// All of them.
pub fn committees() -> Vec<Committee> {
    COMMITTEES
        .iter()
        .map(|&(code, name, kind)| Committee {
            code: code.to_owned(),
            name: name.to_owned(),
            chamber: match code.as_bytes().first() {
                Some(b'h') => "House",
                Some(b's') => "Senate",
                _ => "Joint",
            },
            kind: kind.to_owned(),
            parent: (kind == "Subcommittee")
                .then(|| format!("{}00", code.get(..4).unwrap_or_default())),
            current: true,
        })
        .collect()
}
