const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** Bytes with a unit, three digits: `312 MB`, `1.4 GB`; 1,024 to the next unit, as limits are given. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${UNITS[unit] ?? "TB"}`;
}

export function formatPercent(value: number): string {
  return `${value < 10 && value > 0 ? value.toFixed(1) : Math.round(value)} %`;
}

/** A duration as people say it: `0.8 s`, `12 s`, `3 min 5 s`, `2 h 4 min`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86_400_000],
  ["month", 30 * 86_400_000],
  ["week", 7 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

export function formatExactTime(ms: number): string {
  return exact.format(ms);
}

/** `just now`, `5 min. ago`, `yesterday`. */
export function formatRelativeTime(ms: number, now: number): string {
  const distance = ms - now;
  for (const [unit, length] of STEPS) {
    if (Math.abs(distance) >= length) return relative.format(Math.trunc(distance / length), unit);
  }
  return "just now";
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const list = new Intl.ListFormat("en", { type: "conjunction" });

/** Several words as one of a sentence: `EUR, CHF, and GBP`. */
export function listWords(words: readonly string[]): string {
  return list.format(words);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A count in a few characters: `812`, `12.3K`, `4M`. */
export function formatCount(count: number): string {
  return count < 10_000 ? count.toLocaleString("en") : compact.format(count);
}

/** Money as people write it; small amounts keep two figures: `$1.20`, `$0.0042`. */
export function formatMoney(amount: number, currency: string): string {
  const small = amount !== 0 && Math.abs(amount) < 0.1;
  const digits = small
    ? { maximumSignificantDigits: 2 }
    : { minimumFractionDigits: amount === 0 ? 0 : 2, maximumFractionDigits: amount === 0 ? 0 : 2 };
  try {
    return new Intl.NumberFormat("en", {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      ...digits,
    }).format(amount);
  } catch {
    // No code of a currency.
    return `${new Intl.NumberFormat("en", digits).format(amount)} ${currency}`;
  }
}

/** A short time as programs are measured: `840 ms`, `1.2 s`, `12 s`. */
export function formatLatency(ms: number): string {
  return ms < 999.5 ? `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms` : formatDuration(ms);
}

/** How many a second: `8.4`, `92`, `12.3K`. */
export function formatSpeed(perSecond: number): string {
  return perSecond < 9.95 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}
