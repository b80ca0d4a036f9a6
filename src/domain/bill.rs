/// A bill that a meeting is about (`relatedItems.bills[]`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BillRef {
    pub congress: i64,
    /// One of the values `bills.bill_type` knows, such as `HR`.
    pub bill_type: &'static str,
    pub number: i64,
    pub url: Option<String>,
}
