/** Words, numbers and dates as the reader's language writes them. */

export const LANG = document.documentElement.lang === "fr" ? "fr" : "en";

const catalogue = await fetch("/words.json", { headers: { "Accept-Language": LANG } })
  .then((answer) => (answer.ok ? answer.json() : { catalog: {} }))
  .then((answer) => answer.catalog)
  .catch(() => ({}));
const plural = new Intl.PluralRules(LANG);
const locale = LANG === "fr" ? "fr-FR" : "en-GB";

/** The message in the reader's language; `{name}` is replaced by `values.name`. */
export function word(message, values = {}) {
  const found = catalogue[message] ?? message;
  return put(Array.isArray(found) ? found[0] : found, values);
}

/** One of two messages by the number `n`, which stands in it as `{n}`. */
export function words(one, many, n, values = {}) {
  const forms = catalogue[one];
  const form = plural.select(n) === "one" ? 0 : 1;
  return put(Array.isArray(forms) ? forms[form] : [one, many][form], { n: number(n), ...values });
}

function put(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A text that the server knows in both languages. */
export const told = (pair) => (typeof pair === "string" ? pair : (pair?.[LANG] ?? pair?.en ?? pair?.fr ?? ""));

/** A number with at most so many digits after the point, and at least so many. */
export function number(value, digits = 0, least = 0) {
  const settings = { minimumFractionDigits: least, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale, settings).format(value).replace("-", "−");
}

/** A measured value: three digits that count, or all of a large one. */
export function measured(value) {
  if (!Number.isFinite(value)) return "–";
  const whole = Math.abs(value) >= 100 || Number.isInteger(value);
  const settings = whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(locale, settings).format(value).replace("-", "−");
}

/** A latitude or a longitude with so many digits: 43,6° N. */
export const latitude = (value, digits) => degrees(value, digits, word(value < 0 ? "S" : "N"));
export const longitude = (value, digits) => degrees(value, digits, word(value < 0 ? "W" : "E"));

function degrees(value, digits, side) {
  return `${number(Math.abs(value), digits)}°${Math.abs(value) < 1e-9 ? "" : `\u00a0${side}`}`;
}

/** A share of one in per cent. */
export function share(value) {
  const digits = value > 0 && value < 0.1 ? 1 : 0;
  return new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** An area, given in square metres. */
export function area(squareMetres) {
  const narrow = "\u202f";
  if (squareMetres >= 1e8) return `${measured(squareMetres / 1e6)}${narrow}km²`;
  if (squareMetres >= 1e3) return `${number(squareMetres / 1e4, squareMetres < 1e6 ? 2 : 1)}${narrow}ha`;
  return `${number(squareMetres)}${narrow}m²`;
}

const LONG = { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
const SHORT = { day: "numeric", month: "short", timeZone: "UTC" };

/** A day as people write it: 12 mai 2024. */
export const day = (date) => written(date, { ...LONG, ...clock(date) });

/** From one day to another: 6–30 June 2024. */
export function days(first, last) {
  if (first === last) return day(first);
  return new Intl.DateTimeFormat(locale, LONG).formatRange(new Date(first), new Date(last));
}

/** A day without its year. */
export const shortDay = (date) => written(date, SHORT);

/** The month alone: févr. 2024. */
export const month = (date) => written(date, { month: "short", year: "numeric", timeZone: "UTC" });

function written(date, settings) {
  const moment = new Date(date);
  return Number.isNaN(moment.getTime()) ? String(date) : new Intl.DateTimeFormat(locale, settings).format(moment);
}

/** The hour stands beside the day only where the date has one. */
function clock(date) {
  return /T(?!00:00)/.test(date) ? { hour: "2-digit", minute: "2-digit" } : {};
}

/** A text without accents and capitals, to search in. */
export const folded = (text) => text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();

/** Puts the reader's language into the cookie that the server reads, and loads the page anew; its address keeps the view. */
export function speak(language) {
  document.cookie = `django_language=${language}; path=/; max-age=31536000; SameSite=Lax`;
  location.reload();
}
