/// One line of clean text: runs of white space become one space, nothing else is lost; `None` for nothing.
pub fn one_line(text: &str) -> Option<String> {
    todo!("{text}")
}
