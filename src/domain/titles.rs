//! The words around a name that are not the name: courtesy titles, ranks, offices, suffixes.
//! All of them folded (`text::folded_words`).

/// Titles of courtesy: the stored name goes without them.
pub(super) const COURTESY: [&str; 12] = [
    "honorable",
    "honourable",
    "hon",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "doctor",
    "prof",
    "professor",
];

/// How many words of courtesy title a name begins with.
pub(super) fn courtesy_words(words: &[String]) -> usize {
    let first = word(words, 0);
    if first == "the" && matches!(word(words, 1), "honorable" | "honourable" | "hon") {
        return 2;
    }
    usize::from(COURTESY.contains(&first))
}

/// How many words of rank, office or clerical title a name begins with ("rear admiral lower half").
pub(super) fn rank_words(words: &[String]) -> usize {
    if word(words, 0) == "the" {
        let rest = rank_words(words.get(1..).unwrap_or_default());
        return if rest == 0 { 0 } else { rest + 1 };
    }
    // Words like "rear" and "first" belong to a rank only where a rank follows them.
    let mut end = 0;
    for (at, word) in words.iter().enumerate() {
        if is_rank(word) {
            end = at + 1;
        } else if !goes_before_rank(word) {
            break;
        }
    }
    if end == 0 {
        return 0;
    }
    match (word(words, end), word(words, end + 1)) {
        ("lower" | "upper", "half")
        | ("first" | "second" | "third", "class")
        | ("junior", "grade") => end + 2,
        ("select" | "elect" | "emeritus" | "designate", _) => end + 1,
        _ => end,
    }
}

fn word(words: &[String], at: usize) -> &str {
    words.get(at).map_or("", String::as_str)
}

fn goes_before_rank(word: &str) -> bool {
    matches!(
        word,
        "rear"
            | "vice"
            | "fleet"
            | "first"
            | "second"
            | "senior"
            | "staff"
            | "command"
            | "technical"
            | "tech"
            | "gunnery"
            | "petty"
            | "warrant"
            | "deputy"
            | "assistant"
            | "acting"
            | "former"
            | "right"
            | "rt"
            | "most"
            | "very"
            | "his"
            | "her"
            | "attorney"
            | "master"
            | "retired"
            | "ret"
            | "under"
            | "us"
            | "united"
            | "states"
            | "state"
            | "federal"
            | "associate"
            | "presiding"
            | "tribal"
            | "police"
            | "fire"
    )
}

fn is_rank(word: &str) -> bool {
    is_military_rank(word) || is_office(word)
}

fn is_military_rank(word: &str) -> bool {
    matches!(
        word,
        "general"
            | "gen"
            | "lieutenant"
            | "lt"
            | "ltg"
            | "ltgen"
            | "major"
            | "maj"
            | "mg"
            | "majgen"
            | "brigadier"
            | "brig"
            | "bg"
            | "briggen"
            | "bgen"
            | "colonel"
            | "col"
            | "ltc"
            | "ltcol"
            | "captain"
            | "capt"
            | "cpt"
            | "commander"
            | "cdr"
            | "cmdr"
            | "lcdr"
            | "ltjg"
            | "commodore"
            | "admiral"
            | "adm"
            | "radm"
            | "rdml"
            | "vadm"
            | "ensign"
            | "ens"
            | "sergeant"
            | "sgt"
            | "ssgt"
            | "msgt"
            | "smsgt"
            | "cmsgt"
            | "csm"
            | "sgm"
            | "sfc"
            | "cmsaf"
            | "mcpon"
            | "cmc"
            | "corporal"
            | "cpl"
            | "lcpl"
            | "pfc"
            | "pvt"
            | "airman"
            | "seaman"
            | "specialist"
            | "spc"
            | "officer"
            | "cwo"
            | "cw2"
            | "cw3"
            | "cw4"
            | "cw5"
    )
}

/// "Master" and "Marshal" can be given names, but never before a surname alone: see `person::name_words`.
fn is_office(word: &str) -> bool {
    matches!(
        word,
        "reverend"
            | "rev"
            | "revd"
            | "bishop"
            | "archbishop"
            | "cardinal"
            | "father"
            | "fr"
            | "sister"
            | "pastor"
            | "rabbi"
            | "imam"
            | "chaplain"
            | "judge"
            | "justice"
            | "governor"
            | "gov"
            | "senator"
            | "sen"
            | "representative"
            | "rep"
            | "congressman"
            | "congresswoman"
            | "congressmember"
            | "delegate"
            | "assemblyman"
            | "assemblywoman"
            | "assemblymember"
            | "councilman"
            | "councilwoman"
            | "councilmember"
            | "ambassador"
            | "amb"
            | "secretary"
            | "undersecretary"
            | "commissioner"
            | "mayor"
            | "sheriff"
            | "marshal"
            | "constable"
            | "chief"
            | "president"
            | "director"
            | "administrator"
            | "superintendent"
            | "chair"
            | "chairman"
            | "chairwoman"
            | "chairperson"
            | "treasurer"
            | "sir"
            | "dame"
            | "lady"
    )
}

/// A suffix or degree that can stand at the end without a comma: none of them is a surname.
pub(super) fn is_suffix(word: &str) -> bool {
    matches!(
        word,
        "jr" | "sr"
            | "junior"
            | "ii"
            | "iii"
            | "iv"
            | "phd"
            | "md"
            | "jd"
            | "esq"
            | "esquire"
            | "mph"
            | "mba"
            | "mpp"
            | "mpa"
            | "msn"
            | "dvm"
            | "edd"
            | "drph"
            | "dnp"
            | "dds"
            | "dmd"
            | "pharmd"
            | "psyd"
            | "scd"
            | "dsc"
            | "llm"
            | "lld"
            | "jsd"
            | "cpa"
            | "cfa"
            | "facp"
            | "faap"
            | "facep"
            | "facs"
            | "lcsw"
            | "msw"
            | "usa"
            | "usn"
            | "usaf"
            | "usmc"
            | "uscg"
            | "ussf"
            | "ret"
            | "retd"
            | "retired"
    )
}

/// Degrees that could be a surname (Ma, Do, Pe): suffixes only after a comma.
pub(super) fn is_suffix_after_comma(word: &str) -> bool {
    is_suffix(word)
        || is_military_rank(word)
        || matches!(
            word,
            "ma" | "ms"
                | "mr"
                | "do"
                | "pa"
                | "pe"
                | "rn"
                | "bs"
                | "ba"
                | "bsn"
                | "dc"
                | "od"
                | "np"
                | "mhs"
                | "mha"
                | "med"
                | "mdiv"
                | "mfa"
                | "msc"
                | "mts"
                | "v"
                | "vi"
                | "dr"
                | "st"
                | "sc"
                | "qc"
                | "kc"
                | "us"
                | "army"
                | "navy"
                | "air"
                | "force"
                | "marine"
                | "marines"
                | "corps"
                | "coast"
                | "guard"
                | "space"
                | "reserve"
                | "the"
                | "of"
                | "national"
                | "states"
                | "united"
                | "honorable"
                | "mrs"
                | "prof"
                | "retd"
        )
}
