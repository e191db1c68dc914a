//! Responses that backends store. A client comes back for one, goes on from it, cancels or deletes it, and only the
//! backend that made it has it: where each one is, is remembered here, in memory.
//!
//! **Invariant:** a response belongs to the owner whose key it was made with. To everybody else it is not there.

use crate::backend::Backend;
use crate::flight::{End, Outcome, Usage};
use crate::refusal::Refusal;
use hashlink::LruCache;
use http::{Method, StatusCode};
use reqwest::Url;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Responses that are remembered. Beyond, the one that nobody has asked for the longest is forgotten.
const MOST: usize = 10_000;
/// Longest id that is remembered, in bytes.
const LONGEST_ID: usize = 256;
/// Events of a stream in which a response's id is looked for. It stands in the first.
const MOST_EVENTS: u8 = 8;

/// Where a response is, and how it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    pub(crate) owner: Arc<str>,
    /// Id of the backend, and its name then.
    pub(crate) backend: String,
    pub(crate) name: String,
    /// The model's name there.
    pub(crate) model: Arc<str>,
    /// The model's name as the client gave it.
    pub(crate) asked: String,
}

/// What is known of an id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Here(Home),
    /// It is another owner's.
    Others,
    /// It was made before this broker was started, is forgotten, or never was.
    Unknown,
}

struct Kept {
    home: Home,
    /// What its owner was charged for it, where the request that made it ended before its tokens were told: one that
    /// works in the background, or a stream that was left.
    charged: Option<Usage>,
}

/// By id. Backends make ids up, so that two owners might come to have the same.
type Ids = LruCache<String, Vec<Kept>>;

/// Where responses are. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Responses(Arc<Mutex<Ids>>);

impl Default for Responses {
    fn default() -> Self {
        Self::holding(MOST)
    }
}

impl Responses {
    fn holding(most: usize) -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(most))))
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A backend has made one.
    fn note(&self, id: String, home: Home) {
        let mut ids = self.ids();
        let mut all = ids.remove(&id).unwrap_or_default();
        all.retain(|kept| kept.home.owner != home.owner);
        all.push(Kept { home, charged: None });
        ids.insert(id, all);
    }

    /// Where it is for this owner.
    pub(crate) fn find(&self, id: &str, owner: &str) -> Found {
        match self.ids().get(id) {
            None => Found::Unknown,
            Some(all) => match all.iter().find(|kept| *kept.home.owner == *owner) {
                Some(kept) => Found::Here(kept.home.clone()),
                None => Found::Others,
            },
        }
    }

    fn forget(&self, id: &str, owner: &str) {
        let mut ids = self.ids();
        let Some(all) = ids.get_mut(id) else { return };
        all.retain(|kept| *kept.home.owner != *owner);
        if all.is_empty() {
            ids.remove(id);
        }
    }

    fn charged(&self, id: &str, owner: &str, charged: Option<Usage>) -> Option<Usage> {
        let mut ids = self.ids();
        let kept = ids.get_mut(id)?.iter_mut().find(|kept| *kept.home.owner == *owner)?;
        std::mem::replace(&mut kept.charged, charged)
    }
}

/// What a request has to do with responses that are stored.
pub(crate) enum Stored {
    /// It makes one.
    Makes(Making),
    /// It is about one that there is.
    IsAbout(Errand),
}

impl Stored {
    pub(crate) fn makes(responses: &Responses) -> Self {
        Self::Makes(Making { responses: responses.clone(), left: MOST_EVENTS, id: None })
    }

    pub(crate) fn is_about(responses: &Responses, id: String, forgets: bool) -> Self {
        Self::IsAbout(Errand { responses: responses.clone(), id, forgets })
    }

    /// A part of the answer goes out: whole lines where it streams, else the answer or its beginning.
    pub(crate) fn look(&mut self, streamed: bool, bytes: &[u8], home: impl FnOnce() -> Home) {
        if let Self::Makes(making) = self {
            making.look(streamed, bytes, home);
        }
    }

    /// The request is at its end. False where it is not to be charged or written down: nothing was asked of a model.
    /// What a response's making left open is charged by the first request that learns its tokens.
    pub(crate) fn settle(&self, outcome: &mut Outcome) -> bool {
        match self {
            Self::Makes(making) => {
                if let (Some(id), None) = (&making.id, outcome.usage) {
                    let charged = Some(outcome.estimate.unwrap_or_default());
                    making.responses.charged(id, &outcome.owner, charged);
                }
                true
            }
            Self::IsAbout(errand) => errand.settle(outcome),
        }
    }
}

/// Looks for the id of a response while its answer passes.
pub(crate) struct Making {
    responses: Responses,
    /// Events in which it is still looked for.
    left: u8,
    id: Option<String>,
}

impl Making {
    fn look(&mut self, streamed: bool, bytes: &[u8], home: impl FnOnce() -> Home) {
        if self.left == 0 {
            return;
        }
        let found = match streamed {
            true => self.look_at_lines(bytes),
            false => {
                self.left = 0;
                id(bytes, false)
            }
        };
        let Some(id) = found.filter(|id| is_usable(id)) else { return };
        self.left = 0;
        self.responses.note(id.clone(), home());
        self.id = Some(id);
    }

    fn look_at_lines(&mut self, lines: &[u8]) -> Option<String> {
        for line in lines.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            self.left -= 1;
            let found = id(data, true);
            if found.is_some() || self.left == 0 {
                return found;
            }
        }
        None
    }
}

/// A request about a response that there is.
pub(crate) struct Errand {
    responses: Responses,
    id: String,
    /// It deletes it.
    forgets: bool,
}

impl Errand {
    fn settle(&self, outcome: &mut Outcome) -> bool {
        let is_done = outcome.end == End::Complete && outcome.status.is_some_and(|status| status < 300);
        let left = match outcome.usage {
            Some(told) => self.responses.charged(&self.id, &outcome.owner, None).map(|charged| Usage {
                input_tokens: told.input_tokens.saturating_sub(charged.input_tokens),
                output_tokens: told.output_tokens.saturating_sub(charged.output_tokens),
                cached_tokens: told.cached_tokens,
            }),
            None => None,
        };
        if self.forgets && is_done {
            self.responses.forget(&self.id, &outcome.owner);
        }
        outcome.usage = left.filter(|left| left.input_tokens > 0 || left.output_tokens > 0);
        outcome.estimate = None;
        // How fast a stored answer comes says nothing of the model.
        outcome.first_byte = None;
        outcome.usage.is_some()
    }
}

/// True for an id that can be a part of a path.
fn is_usable(id: &str) -> bool {
    !matches!(id, "" | "." | "..") && id.len() <= LONGEST_ID
}

/// A response's id, of a document or of its beginning; where it is `nested`, of an event with a response inside.
fn id(document: &[u8], nested: bool) -> Option<String> {
    let mut found = None;
    // It ends at the id with an error of our own: what follows is not read.
    let _ =
        serde_json::Deserializer::from_slice(document).deserialize_map(Search { nested, found: &mut found });
    found
}

struct Search<'a> {
    nested: bool,
    found: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let wanted = if self.nested { "response" } else { "id" };
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name != wanted {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match self.nested {
                true => map.next_value_seed(Search { nested: false, found: self.found })?,
                false => *self.found = Some(map.next_value()?),
            }
            return Err(A::Error::custom("it is found"));
        }
        Ok(())
    }
}

/// What is asked about a response.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) id: String,
    /// What follows the id in the path.
    pub(crate) part: Option<&'static str>,
    pub(crate) query: Option<String>,
}

impl Asked {
    /// Its answer comes as events, and takes as long as the response.
    pub(crate) fn streams(&self) -> bool {
        let query = self.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "stream" && value == "true")
    }

    /// Its address at a backend.
    ///
    /// # Errors
    /// The backend has none; nothing is known of such a backend.
    pub(crate) fn url(&self, backend: &Backend) -> Result<Url, Refusal> {
        let url = backend.below("responses").and_then(|mut url| {
            url.path_segments_mut().ok()?.push(&self.id).extend(self.part);
            url.set_query(self.query.as_deref());
            Some(url)
        });
        url.ok_or_else(|| {
            let message = format!("`{}` has no address for responses.", backend.settings.name);
            Refusal::backend(StatusCode::BAD_GATEWAY, "backend_error", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(owner: &str, backend: &str) -> Home {
        Home {
            owner: owner.into(),
            backend: backend.to_owned(),
            name: backend.to_owned(),
            model: "real".into(),
            asked: "m".to_owned(),
        }
    }

    #[test]
    fn the_last_ones_are_remembered_and_each_owner_has_its_own() {
        let responses = Responses::holding(3);
        for id in ["a", "b", "c"] {
            responses.note(id.to_owned(), home("ann", "box"));
        }
        assert_eq!(responses.find("a", "ann"), Found::Here(home("ann", "box")));
        responses.note("d".to_owned(), home("ann", "box"));
        assert_eq!(responses.find("b", "ann"), Found::Unknown, "nobody has asked for it the longest");
        assert_eq!(responses.find("a", "bob"), Found::Others);
        responses.note("a".to_owned(), home("bob", "cloud"));
        assert_eq!(responses.find("a", "ann"), Found::Here(home("ann", "box")));
        assert_eq!(responses.find("a", "bob"), Found::Here(home("bob", "cloud")));
        responses.forget("a", "ann");
        assert_eq!(responses.find("a", "ann"), Found::Others);
        responses.forget("a", "bob");
        assert_eq!(responses.find("a", "bob"), Found::Unknown);
        assert_eq!(responses.ids().len(), 2);
    }

    #[test]
    fn ids_are_found_wherever_they_stand_also_where_the_rest_is_missing() {
        for (document, nested, wanted) in [
            (r#"{"id":"resp_1","object":"response"}"#, false, Some("resp_1")),
            (r#"{"output":[{"id":"msg_1"}],"id":"resp_1"}"#, false, Some("resp_1")),
            (r#"{"id":"resp_1","output":[{"te"#, false, Some("resp_1")),
            (r#"{"error":{"id":"x"}}"#, false, None),
            (r#"{"id":7}"#, false, None),
            ("[]", false, None),
            ("", false, None),
            (r#" {"type":"response.created","response":{"id":"resp_1","out"#, true, Some("resp_1")),
            (r#" {"response":{"object":"response","id":"resp_1"},"type":"x"}"#, true, Some("resp_1")),
            (r#" {"id":"x","type":"response.output_text.delta"}"#, true, None),
            (" [DONE]", true, None),
        ] {
            assert_eq!(id(document.as_bytes(), nested).as_deref(), wanted, "{document}");
        }
    }

    fn making() -> Making {
        Making { responses: Responses::holding(10), left: MOST_EVENTS, id: None }
    }

    #[test]
    fn a_stream_is_looked_at_until_the_id_is_found_and_not_for_ever() {
        let look =
            |making: &mut Making, lines: &str| making.look(true, lines.as_bytes(), || home("ann", "box"));
        let mut found = making();
        look(&mut found, ": hello\n\n");
        look(
            &mut found,
            "event: x\r\ndata: {\"type\":\"x\"}\r\n\r\ndata: {\"response\":{\"id\":\"resp_1\"}}\n\n",
        );
        look(&mut found, "data: {\"response\":{\"id\":\"resp_2\"}}\n\n");
        assert_eq!(found.id.as_deref(), Some("resp_1"));
        assert_eq!(found.responses.find("resp_2", "ann"), Found::Unknown);
        let mut given_up = making();
        for _ in 0..3 {
            look(&mut given_up, &"data: {}\n\n".repeat(4));
        }
        look(&mut given_up, "data: {\"response\":{\"id\":\"resp_1\"}}\n\n");
        assert_eq!(given_up.id, None);
        for odd in ["..", "", &"x".repeat(300)] {
            let mut making = making();
            making.look(false, format!("{{\"id\":\"{odd}\"}}").as_bytes(), || home("ann", "box"));
            assert_eq!(making.id, None, "{odd}");
        }
    }

    #[test]
    fn streams_are_told_by_their_query() {
        let streams = |query: Option<&str>| {
            let query = query.map(str::to_owned);
            Asked { method: Method::GET, id: "a".to_owned(), part: None, query }.streams()
        };
        assert!(streams(Some("include[]=x&stream=true&starting_after=3")));
        assert!(!streams(Some("stream=false")) && !streams(Some("xstream=true")) && !streams(None));
    }
}
