//! An API for the stations' tests: answers from a closure, and remembers what it was asked.

use std::cell::{Cell, RefCell};

use serde_json::Value;

use super::{ApiError, Get};

type Params<'a> = &'a [(String, String)];

pub struct Fake<F> {
    answer: F,
    asked: RefCell<Vec<String>>,
    in_flight: Cell<usize>,
    pub most_in_flight: Cell<usize>,
    pub may_wait: Cell<bool>,
    left: Cell<Option<u32>>,
}

impl<F: Fn(&str, Params<'_>) -> Result<Value, ApiError>> Fake<F> {
    pub fn new(answer: F) -> Self {
        Self {
            answer,
            asked: RefCell::default(),
            in_flight: Cell::new(0),
            most_in_flight: Cell::new(0),
            may_wait: Cell::new(false),
            left: Cell::new(None),
        }
    }

    /// So many requests are left in this hour; nothing keeps more from being answered.
    pub fn allow(&self, left: u32) {
        self.left.set(Some(left));
    }

    /// The endpoints, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

impl<F: Fn(&str, Params<'_>) -> Result<Value, ApiError>> Get for Fake<F> {
    async fn get(&self, endpoint: &str, params: Params<'_>) -> Result<Value, ApiError> {
        self.asked.borrow_mut().push(endpoint.to_owned());
        self.left
            .set(self.left.get().map(|left| left.saturating_sub(1)));
        self.in_flight.set(self.in_flight.get() + 1);
        self.most_in_flight
            .set(self.most_in_flight.get().max(self.in_flight.get()));
        tokio::task::yield_now().await;
        let answer = (self.answer)(endpoint, params);
        self.in_flight.set(self.in_flight.get() - 1);
        answer
    }

    fn left(&self) -> Option<u32> {
        self.left.get()
    }

    fn concurrency(&self) -> usize {
        16
    }

    fn wait_out_breaker(&self) -> bool {
        self.may_wait.take()
    }
}

/// The value of a parameter that is a number.
pub fn number(params: Params<'_>, name: &str) -> Option<usize> {
    params.iter().find(|(n, _)| n == name)?.1.parse().ok()
}
