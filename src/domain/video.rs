/// The video that is stored of a meeting: the best of those offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    pub url: String,
    /// Eleven characters, for YouTube videos only.
    pub youtube_id: Option<String>,
    pub video_type: VideoType,
}

/// `hearings.video_type`, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VideoType {
    Youtube,
    SenateIsvp,
    HouseVideo,
    CommitteeVideo,
    EventPage,
}

impl VideoType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Youtube => "youtube",
            Self::SenateIsvp => "senate_isvp",
            Self::HouseVideo => "house_video",
            Self::CommitteeVideo => "committee_video",
            Self::EventPage => "event_page",
        }
    }
}

/// The best of the offered addresses.
pub fn pick_video(urls: &[&str]) -> Option<Video> {
    todo!("{urls:?}")
}
