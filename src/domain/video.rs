//! Which of a meeting's videos is kept.

use url::Url;

/// The video that is stored of a meeting: the best of those offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    pub url: String,
    /// Eleven characters, for `YouTube` videos only.
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

/// The best of the offered addresses; of two as good, one whose `YouTube` id can be read, else the first.
pub fn pick_video(urls: &[&str]) -> Option<Video> {
    best(urls.iter().filter_map(|url| classify(url)))
}

pub(super) fn best(videos: impl IntoIterator<Item = Video>) -> Option<Video> {
    videos
        .into_iter()
        .min_by_key(|video| (video.video_type, video.youtube_id.is_none()))
}

/// The video an address names, where it is of a kind that we keep.
pub(super) fn classify(text: &str) -> Option<Video> {
    let text = text.trim();
    let address = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("https://{}", text.trim_start_matches('/')))
    };
    let address = address
        .ok()
        .filter(|a| matches!(a.scheme(), "http" | "https"))?;
    let host = address.host_str()?;
    let path = address.path().to_ascii_lowercase();
    let is_at = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    };
    let begins = |folder: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let video_type = if is_at("youtube.com") || is_at("youtu.be") || is_at("youtube-nocookie.com") {
        VideoType::Youtube
    } else if is_at("senate.gov") && begins("/isvp") {
        VideoType::SenateIsvp
    } else if is_at("house.gov") {
        VideoType::HouseVideo
    } else if is_at("congress.gov") && begins("/committees/video") {
        VideoType::CommitteeVideo
    } else if is_at("congress.gov") && begins("/event") {
        VideoType::EventPage
    } else {
        return None;
    };
    let youtube_id = (video_type == VideoType::Youtube)
        .then(|| youtube_id(&address))
        .flatten();
    Some(Video {
        url: text.to_owned(),
        youtube_id,
        video_type,
    })
}

/// From `watch?v=`, `youtu.be/`, `/embed/`, `/live/`, `/shorts/` or `/v/`.
fn youtube_id(address: &Url) -> Option<String> {
    if let Some((_, id)) = address.query_pairs().find(|(key, _)| key == "v") {
        return eleven(&id);
    }
    let mut segments = address
        .path_segments()?
        .filter(|segment| !segment.is_empty());
    let first = segments.next()?;
    if matches!(first, "embed" | "live" | "shorts" | "v") {
        return eleven(segments.next()?);
    }
    address
        .host_str()?
        .ends_with("youtu.be")
        .then(|| eleven(first))
        .flatten()
}

/// An id is eleven characters; the API sometimes puts one hyphen too many in front.
fn eleven(id: &str) -> Option<String> {
    let id = id.trim();
    let id = if id.len() == 12 {
        id.strip_prefix('-')?
    } else {
        id
    };
    let sound = id.len() == 11
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    sound.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISVP: &str = "https://www.senate.gov/isvp/?type=live&comm=help&filename=help051425";
    const PAGE: &str = "https://www.congress.gov/event/119th-congress/house-event/118296";
    const COMMITTEE: &str =
        "https://www.congress.gov/committees/video/house-natural-resources/hsii00/x";

    fn id(url: &str) -> Option<String> {
        pick_video(&[url]).and_then(|video| video.youtube_id)
    }

    #[test]
    fn the_best_kind_wins_wherever_it_stands() {
        let youtube = "https://www.youtube.com/watch?v=abcDEF_-123";
        let house = "https://live.house.gov/?date=2025-05-21";
        let order = [
            (youtube, VideoType::Youtube),
            (ISVP, VideoType::SenateIsvp),
            (house, VideoType::HouseVideo),
            (COMMITTEE, VideoType::CommitteeVideo),
            (PAGE, VideoType::EventPage),
        ];
        for (at, (url, kind)) in order.iter().enumerate() {
            let mut offered: Vec<&str> = order[at..].iter().map(|(url, _)| *url).collect();
            offered.reverse();
            let video = pick_video(&offered).unwrap();
            assert_eq!((video.url.as_str(), video.video_type), (*url, *kind));
        }
    }

    #[test]
    fn a_youtube_id_is_found_in_every_form_of_address() {
        for url in [
            "https://www.youtube.com/watch?v=abcDEF_-123",
            "https://youtube.com/watch?feature=share&v=abcDEF_-123&t=5",
            "http://m.youtube.com/watch?v=abcDEF_-123#top",
            "https://youtu.be/abcDEF_-123?si=xyz",
            "https://www.youtube.com/embed/abcDEF_-123",
            "https://www.youtube.com/live/abcDEF_-123?feature=share",
            "www.youtube.com/watch?v=abcDEF_-123",
        ] {
            assert_eq!(id(url).as_deref(), Some("abcDEF_-123"), "{url}");
        }
    }

    #[test]
    fn a_doubled_hyphen_is_dropped_and_other_lengths_are_no_ids() {
        assert_eq!(
            id("https://www.youtube.com/watch?v=--bcDEF_1234").as_deref(),
            Some("-bcDEF_1234")
        );
        assert_eq!(
            id("https://youtu.be/-abcDEF_-123").as_deref(),
            Some("abcDEF_-123")
        );
        assert_eq!(
            id("https://youtu.be/-bcDEF_-123").as_deref(),
            Some("-bcDEF_-123")
        );
        assert_eq!(id("https://youtu.be/abcDEF_-1234"), None);
        assert_eq!(id("https://youtu.be/short"), None);
    }

    #[test]
    fn a_youtube_address_without_an_id_gives_way_to_one_with_it() {
        let video = pick_video(&["https://youtube.com/@House", "https://youtu.be/abcDEF_-123"]);
        assert_eq!(video.unwrap().youtube_id.as_deref(), Some("abcDEF_-123"));
        assert_eq!(
            pick_video(&["https://youtube.com/@House"])
                .unwrap()
                .youtube_id,
            None
        );
    }

    #[test]
    fn foreign_and_lookalike_hosts_are_no_videos() {
        for url in [
            "https://example.org/watch?v=abcDEF_-123",
            "https://notyoutube.com/watch?v=abcDEF_-123",
            "https://youtube.com.evil.example/watch?v=abcDEF_-123",
            "javascript://youtube.com/x",
            "https://www.congress.gov/events",
            "",
            "::::",
        ] {
            assert_eq!(pick_video(&[url]), None, "{url}");
        }
    }
}
