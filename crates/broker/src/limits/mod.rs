//! How much each owner of a key, and all together, may ask: requests and tokens a minute, requests at once, and budgets
//! of the day and the month. What was used is kept in memory; a start reads the budgets' part of it from the ledger.
//!
//! **Invariant:** a request is charged once, when it has ended, however it ended; its place among the parallel ones is
//! free from then on. Requests that run side by side may pass a budget together by what they use, but no new one is let
//! in after it.

mod calendar;
mod check;
mod rate;
mod words;

pub(crate) use check::check;

use crate::flight::{Outcome, Usage};
use crate::refusal::Refusal;
use crate::sum;
use aicockpit_protocol::usage::{Budget, KeyLimits, LimitSettings, OwnerUsage, UsageSum};
use calendar::{Calendar, Periods};
use http::{HeaderMap, HeaderName, HeaderValue};
use rate::{Rate, Standing};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;
use words::{Renewal, Whose};

/// Owners that are remembered. Beyond, those who ask nothing and have used nothing are forgotten.
const MOST_OWNERS: usize = 1024;

/// What one owner, or all, have used.
#[derive(Default)]
struct Account {
    open: AtomicU32,
    requests: Rate,
    tokens: Rate,
    spent: Mutex<Spent>,
}

/// What was used of the budgets, and since when.
#[derive(Clone, Copy, Default)]
struct Spent {
    day_from: i64,
    day: UsageSum,
    month_from: i64,
    month: UsageSum,
}

/// The limits, and the currency of their budgets.
#[derive(Clone, Default)]
pub(crate) struct Set {
    pub(crate) limits: LimitSettings,
    pub(crate) currency: String,
}

/// What everybody has used, and what they may. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Accounts(Arc<Inner>);

struct Inner {
    calendar: Calendar,
    /// Rates are reckoned from here, by a clock that nobody sets.
    began: Instant,
    set: RwLock<Arc<Set>>,
    of: RwLock<HashMap<Arc<str>, Arc<Account>>>,
    all: Account,
}

impl Set {
    fn of(&self, owner: &str) -> &KeyLimits {
        self.limits.of.get(owner).unwrap_or(&self.limits.each)
    }
}

impl Accounts {
    pub(crate) fn new(set: Set) -> Self {
        Self::with(set, Calendar::system())
    }

    fn with(set: Set, calendar: Calendar) -> Self {
        Self(Arc::new(Inner {
            calendar,
            began: Instant::now(),
            set: RwLock::new(Arc::new(set)),
            of: RwLock::default(),
            all: Account::default(),
        }))
    }

    /// When this day and this month began, in milliseconds since 1970.
    pub(crate) fn began(&self) -> (i64, i64) {
        let periods = self.0.calendar.periods();
        (periods.day.start, periods.month.start)
    }

    /// Begins with what was used this day and this month, by owner.
    pub(crate) fn seed(&self, day: HashMap<String, UsageSum>, month: HashMap<String, UsageSum>) {
        let periods = self.0.calendar.periods();
        let seed = |sums: HashMap<String, UsageSum>, part: fn(&mut Spent) -> &mut UsageSum| {
            for (owner, sum) in sums {
                let owner: Arc<str> = owner.into();
                self.account(&owner).spend(&periods, |spent| sum::add(part(spent), &sum));
                self.0.all.spend(&periods, |spent| sum::add(part(spent), &sum));
            }
        };
        seed(day, Spent::of_day);
        seed(month, Spent::of_month);
    }

    /// Takes up other limits. What was used stays used.
    pub(crate) fn replace(&self, set: Set) {
        let now = self.now();
        let before = std::mem::replace(
            &mut *self.0.set.write().unwrap_or_else(PoisonError::into_inner),
            Arc::new(set),
        );
        let after = self.set();
        self.0.all.change(&before.limits.all, &after.limits.all, now);
        let accounts = self.0.of.read().unwrap_or_else(PoisonError::into_inner);
        for (owner, account) in accounts.iter() {
            account.change(before.of(owner), after.of(owner), now);
        }
    }

    /// Takes up another currency, after [`Accounts::replace`]: what was spent in it this day and this month, by owner.
    /// What was spent in the one before is no part of its budgets.
    pub(crate) fn exchange(&self, day: &HashMap<String, UsageSum>, month: &HashMap<String, UsageSum>) {
        let periods = self.0.calendar.periods();
        let empty = |account: &Account| {
            account.spend(&periods, |spent| (spent.day.cost, spent.month.cost) = (0.0, 0.0));
        };
        empty(&self.0.all);
        self.0.of.read().unwrap_or_else(PoisonError::into_inner).values().for_each(|account| empty(account));
        let part: [fn(&mut Spent) -> &mut UsageSum; 2] = [Spent::of_day, Spent::of_month];
        for (sums, part) in [day, month].into_iter().zip(part) {
            for (owner, sum) in sums.iter().filter(|(_, sum)| sum.cost > 0.0) {
                for account in [&*self.account(&owner.as_str().into()), &self.0.all] {
                    account.spend(&periods, |spent| part(spent).cost += sum.cost);
                }
            }
        }
    }

    fn set(&self) -> Arc<Set> {
        Arc::clone(&self.0.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> i64 {
        i64::try_from(self.0.began.elapsed().as_nanos()).unwrap_or(i64::MAX / 2)
    }

    fn account(&self, owner: &Arc<str>) -> Arc<Account> {
        if let Some(account) = self.0.of.read().unwrap_or_else(PoisonError::into_inner).get(owner) {
            return Arc::clone(account);
        }
        let mut accounts = self.0.of.write().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MOST_OWNERS && !accounts.contains_key(owner) {
            let (now, periods) = (self.now(), self.0.calendar.periods());
            accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_unused(now, &periods));
        }
        Arc::clone(accounts.entry(Arc::clone(owner)).or_default())
    }

    /// A request of this owner's has come. Whether it may be asked is not looked at yet.
    pub(crate) fn enter(&self, owner: &Arc<str>) -> Pass {
        Pass {
            account: self.account(owner),
            owner: Arc::clone(owner),
            accounts: self.clone(),
            is_open: false,
        }
    }

    /// What each owner has used: those who have, who ask now, and who hold one of `keys`.
    pub(crate) fn owners(&self, keys: BTreeSet<Arc<str>>) -> Vec<OwnerUsage> {
        let (set, periods) = (self.set(), self.0.calendar.periods());
        let mut accounts: HashMap<Arc<str>, Option<Arc<Account>>> =
            keys.into_iter().map(|owner| (owner, None)).collect();
        let known = self.0.of.read().unwrap_or_else(PoisonError::into_inner);
        accounts.extend(known.iter().map(|(owner, account)| (Arc::clone(owner), Some(Arc::clone(account)))));
        drop(known);
        let mut owners: Vec<OwnerUsage> = accounts
            .into_iter()
            .map(|(owner, account)| {
                let spent = account.as_ref().map(|account| account.spend(&periods, |spent| *spent));
                let spent = spent.unwrap_or_default();
                OwnerUsage {
                    open: account.map_or(0, |account| account.open.load(Ordering::Acquire)),
                    day: spent.day,
                    month: spent.month,
                    limits: *set.of(&owner),
                    owner: owner.as_ref().to_owned(),
                }
            })
            .collect();
        owners.sort_unstable_by(|one, other| one.owner.cmp(&other.owner));
        owners
    }
}

impl Account {
    fn spend<T>(&self, periods: &Periods, change: impl FnOnce(&mut Spent) -> T) -> T {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.renew(periods);
        change(&mut spent)
    }

    fn change(&self, before: &KeyLimits, after: &KeyLimits, now: i64) {
        let rates = [
            (&self.requests, before.requests_per_minute, after.requests_per_minute),
            (&self.tokens, before.tokens_per_minute, after.tokens_per_minute),
        ];
        for (rate, before, after) in rates {
            if let (Some(before), Some(after)) = (before, after)
                && before != after
            {
                rate.change(before, after, now);
            }
        }
    }

    fn is_unused(&self, now: i64, periods: &Periods) -> bool {
        let is_nothing = |sum: &UsageSum| sum.input_tokens == 0 && sum.output_tokens == 0 && sum.cost <= 0.0;
        self.open.load(Ordering::Acquire) == 0
            && self.requests.is_whole(now)
            && self.tokens.is_whole(now)
            && self.spend(periods, |spent| is_nothing(&spent.day) && is_nothing(&spent.month))
    }

    /// Refuses where a budget is used up.
    fn budgets(
        &self,
        limits: &KeyLimits,
        whose: Whose<'_>,
        accounts: &Inner,
        currency: &str,
    ) -> Result<(), Refusal> {
        if limits.day == Budget::default() && limits.month == Budget::default() {
            return Ok(());
        }
        let periods = accounts.calendar.periods();
        let spent = self.spend(&periods, |spent| *spent);
        let both = [
            (limits.day, spent.day, periods.day.end, "of the day"),
            (limits.month, spent.month, periods.month.end, "of the month"),
        ];
        for (budget, sum, ends, period) in both {
            let tokens = sum.input_tokens.saturating_add(sum.output_tokens);
            let used = if budget.tokens.is_some_and(|most| tokens >= most) {
                format!("{tokens} of {} tokens", budget.tokens.unwrap_or_default())
            } else if budget.cost.is_some_and(|most| sum.cost >= most) {
                format!("{:.2} of {:.2} {currency}", sum.cost, budget.cost.unwrap_or_default())
            } else {
                continue;
            };
            let left = Duration::from_millis(ends.saturating_sub(accounts.calendar.now()).max(1) as u64);
            let renewal = Renewal { at: accounts.calendar.say(ends), left };
            return Err(words::budget(whose, period, &used, &renewal));
        }
        Ok(())
    }

    /// Refuses where tokens are owed.
    fn debts(&self, limits: &KeyLimits, whose: Whose<'_>, now: i64) -> Result<(), Refusal> {
        let Some(most) = limits.tokens_per_minute else { return Ok(()) };
        match self.tokens.owed(now) {
            0 => Ok(()),
            owed => Err(words::tokens(whose, most, nanoseconds(owed))),
        }
    }

    /// Takes a place and one of the requests of this minute, or neither. One that is not `is_bounded` has a place beside
    /// those that there are.
    fn take(
        &self,
        limits: &KeyLimits,
        whose: Whose<'_>,
        now: i64,
        is_bounded: bool,
    ) -> Result<Option<Standing>, Refusal> {
        let most = limits.parallel.filter(|_| is_bounded).unwrap_or(u32::MAX);
        let more = |open: u32| (open < most).then(|| open + 1);
        if self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
            return Err(words::parallel(whose, most));
        }
        let Some(per_minute) = limits.requests_per_minute else { return Ok(None) };
        self.requests.take(per_minute, now).map(Some).map_err(|standing| {
            self.open.fetch_sub(1, Ordering::AcqRel);
            words::requests(whose, per_minute, nanoseconds(standing.next_in))
        })
    }
}

impl Spent {
    fn of_day(&mut self) -> &mut UsageSum {
        &mut self.day
    }

    fn of_month(&mut self) -> &mut UsageSum {
        &mut self.month
    }

    /// Begins anew where the day or the month is another one. A clock that is put back ends no period: what was used
    /// stays used until the next one begins.
    fn renew(&mut self, periods: &Periods) {
        if periods.day.start > self.day_from {
            self.day = UsageSum::default();
        }
        if periods.month.start > self.month_from {
            self.month = UsageSum::default();
        }
        (self.day_from, self.month_from) = (periods.day.start, periods.month.start);
    }
}

fn nanoseconds(count: i64) -> Duration {
    Duration::from_nanos(count.max(0) as u64)
}

/// A request's place in its owner's account. Dropped, its place among the parallel ones is free.
pub(crate) struct Pass {
    accounts: Accounts,
    account: Arc<Account>,
    owner: Arc<str>,
    is_open: bool,
}

impl Pass {
    /// Lets the request in, and says how the rates stand where there are any.
    ///
    /// # Errors
    /// 429: whose limit, which, how much of it, when it is renewed and where to change it.
    pub(crate) fn admit(&mut self) -> Result<HeaderMap, Refusal> {
        self.admit_as(true, true)
    }

    /// The same for one that asks nothing of a model: who has used up a budget may still fetch, cancel and delete what
    /// is there. Only where it streams does it count among those at once.
    ///
    /// # Errors
    /// As [`Pass::admit`].
    pub(crate) fn admit_errand(&mut self, streams: bool) -> Result<HeaderMap, Refusal> {
        self.admit_as(false, streams)
    }

    fn admit_as(&mut self, asks_model: bool, is_bounded: bool) -> Result<HeaderMap, Refusal> {
        let set = self.accounts.set();
        let inner = &self.accounts.0;
        let now = self.accounts.now();
        let own = (&*self.account, set.of(&self.owner), Whose::Owner(&self.owner));
        let all = (&inner.all, &set.limits.all, Whose::All);
        for (account, limits, whose) in [own, all].into_iter().filter(|_| asks_model) {
            account.budgets(limits, whose, inner, &set.currency)?;
            account.debts(limits, whose, now)?;
        }
        let taken = own.0.take(own.1, own.2, now, is_bounded)?;
        let of_all = all.0.take(all.1, all.2, now, is_bounded).inspect_err(|_| {
            own.0.open.fetch_sub(1, Ordering::AcqRel);
            if let Some(per_minute) = own.1.requests_per_minute {
                own.0.requests.give_back(per_minute);
            }
        })?;
        self.is_open = true;
        let mut headers = HeaderMap::new();
        let requests = [(taken, own.1.requests_per_minute), (of_all, all.1.requests_per_minute)];
        if let Some((standing, most)) = tightest(requests) {
            told(&mut headers, &REQUESTS, most, standing);
        }
        let tokens = [own, all].map(|(account, limits, _)| {
            let most = limits.tokens_per_minute;
            (most.map(|most| account.tokens.standing(most, now)), most)
        });
        if let Some((standing, most)) = tightest(tokens) {
            told(&mut headers, &TOKENS, most, standing);
        }
        Ok(headers)
    }

    /// Charges what the request came to.
    pub(crate) fn settle(&self, outcome: &Outcome) {
        let used: Usage = outcome.usage.or(outcome.estimate).unwrap_or_default();
        let inner = &self.accounts.0;
        let (set, periods) = (self.accounts.set(), inner.calendar.periods());
        // Budgets are in the settings' currency. What was begun by other settings may be priced in another one.
        let cost = if *outcome.currency == *set.currency { outcome.cost } else { 0.0 };
        let sum = sum::one(outcome.end, used.input_tokens, used.output_tokens, cost);
        let tokens = used.input_tokens.saturating_add(used.output_tokens);
        for (account, limits) in [(&*self.account, set.of(&self.owner)), (&inner.all, &set.limits.all)] {
            account.spend(&periods, |spent| {
                sum::add(&mut spent.day, &sum);
                sum::add(&mut spent.month, &sum);
            });
            if let Some(most) = limits.tokens_per_minute.filter(|_| tokens > 0) {
                account.tokens.charge(tokens, most, self.accounts.now());
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_open {
            self.account.open.fetch_sub(1, Ordering::AcqRel);
            self.accounts.0.all.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The rate of which least is left.
fn tightest(rates: [(Option<Standing>, Option<u32>); 2]) -> Option<(Standing, u32)> {
    let set = rates.into_iter().filter_map(|(standing, most)| standing.zip(most));
    set.min_by_key(|(standing, _)| standing.left)
}

/// OpenAI's names for what a rate allows, what is left of it, and when it is whole again.
static REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

fn told(headers: &mut HeaderMap, names: &[HeaderName; 3], most: u32, standing: Standing) {
    let [limit, left, reset] = names;
    headers.insert(limit, HeaderValue::from(most));
    headers.insert(left, HeaderValue::from(standing.left));
    if let Ok(text) = HeaderValue::from_str(&words::short(nanoseconds(standing.whole_in))) {
        headers.insert(reset, text);
    }
}

#[cfg(test)]
mod tests;
