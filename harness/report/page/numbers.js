/* Numbers as they are read: bytes, hex floats, shortest decimals, exact values, errors in ulp, places on the axis. */
"use strict";
const numbers = {};

/** Return floats whose bytes stand place by place; see packing.py. */
numbers.floats = (base64, size) => {
  const planes = report.bytes(base64), n = planes.length / size, bytes = new Uint8Array(planes.length);
  for (let place = 0; place < size; place++) for (let i = 0; i < n; i++) bytes[i * size + place] = planes[place * n + i];
  return size === 4 ? new Float32Array(bytes.buffer) : size === 8 ? new Float64Array(bytes.buffer) : new Uint16Array(bytes.buffer);
};

/** Return positive numbers that were written in steps of 0.3 %; NaN for none. */
numbers.scaled = (base64) => Float64Array.from(numbers.floats(base64, 2), (c) => (c ? 2 ** ((c - 1) / 256 - 64) : NaN));

/** Return floor(log2 |v|) of a finite number other than 0. */
numbers.exponent = (v) => {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, v);
  const field = (bits.getUint16(0) >> 4) & 0x7ff;
  return field ? field - 1023 : numbers.exponent(v * 2 ** 64) - 64;
};

numbers.ulp = (v, fmt) => 2 ** (Math.max(v ? numbers.exponent(v) : fmt.emin, fmt.emin) - fmt.precision + 1);

/** Return |computed − exact| in ulp of the exact value, which is high + rest; NaN where either is not finite. */
numbers.error = (computed, high, rest, fmt) =>
  Number.isFinite(computed) && Number.isFinite(high)
    ? Math.abs((computed - high) / numbers.ulp(high, fmt) - rest / numbers.ulp(high, fmt)) : NaN;

/** Round a double to the nearest number of a format, ties to even. */
numbers.rounded = (v, fmt) => {
  if (!v || !Number.isFinite(v)) return v;
  const quantum = numbers.ulp(v, fmt), k = v / quantum, low = Math.floor(k), half = k - low;
  const whole = half > 0.5 || (half === 0.5 && low % 2 !== 0) ? low + 1 : low;
  return whole * quantum;
};

/** Return the shortest decimal that names a number in its format. */
numbers.short = (v, fmt) => {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "infinity" : "−infinity";
  if (fmt.precision === 53) return numbers.plain(v);
  for (let digits = 1; digits < 18; digits++) {
    const text = v.toPrecision(digits);
    if (numbers.rounded(Number(text), fmt) === v) return numbers.plain(Number(text));
  }
  return numbers.plain(v);
};

/** Write a double by its shortest decimal, from 10^16 on with an exponent. */
numbers.plain = (v) => numbers.signed(Math.abs(v) >= 1e16 ? v.toExponential() : String(v));

numbers.signed = (text) => text.replaceAll("-", "−");

/** Write a number as a C99 hex float. */
numbers.hex = (v) => (Number.isFinite(v) ? numbers.hex_exact(v, 0) : "");

/** Return high + rest as an integer times a power of two: [integer, exponent]. */
numbers.whole = (high, rest) => {
  const parts = [high, rest].filter((v) => v).map((v) => {
    const e = numbers.exponent(v) - 52;
    return [BigInt(e < -1022 ? (v * 2 ** 537) * 2 ** (-e - 537) : v * 2 ** -e), e];
  });
  if (!parts.length) return [0n, 0];
  const least = Math.min(...parts.map(([, e]) => e));
  return [parts.reduce((sum, [m, e]) => sum + (m << BigInt(e - least)), 0n), least];
};

numbers.hex_exact = (high, rest) => {
  let [m, e] = numbers.whole(high, rest);
  if (!m) return "0x0p+0";
  const sign = m < 0n ? "-" : "";
  m = m < 0n ? -m : m;
  const bits = m.toString(2), power = e + bits.length - 1;
  const fraction = bits.slice(1).replace(/0+$/, "");
  const digits = fraction ? BigInt("0b" + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, "0")).toString(16) : "";
  const padded = digits.padStart(Math.ceil(fraction.length / 4), "0");
  return `${sign}0x1${padded ? "." + padded : ""}p${power < 0 ? "-" : "+"}${Math.abs(power)}`;
};

/** Write high + rest with so many significant decimal digits, rounded to nearest. */
numbers.decimal = (high, rest, digits) => {
  if (!Number.isFinite(high)) return numbers.short(high, { precision: 53 });
  let [m, e] = numbers.whole(high, rest);
  if (!m) return "0";
  const sign = m < 0n ? "−" : "";
  m = m < 0n ? -m : m;
  let place = Math.floor((m.toString(2).length - 1 + e) * Math.LOG10E * Math.LN2);
  let text = "";
  for (let again = 0; again < 3; again++) {
    const power = BigInt(Math.abs(digits - 1 - place));
    let top = m * (digits - 1 - place > 0 ? 10n ** power : 1n), under = digits - 1 - place < 0 ? 10n ** power : 1n;
    if (e > 0) top <<= BigInt(e); else under <<= BigInt(-e);
    text = ((2n * top + under) / (2n * under)).toString();
    if (text.length === digits) break;
    place += text.length > digits ? 1 : -1;
  }
  const body = text.replace(/0+$/, "");
  if (place >= -5 && place < 15) {
    const plain = place < 0 ? "0." + "0".repeat(-place - 1) + body
      : body.length > place + 1 ? `${body.slice(0, place + 1)}.${body.slice(place + 1)}` : body.padEnd(place + 1, "0");
    return sign + plain;
  }
  return `${sign}${body[0]}${body.length > 1 ? "." + body.slice(1) : ""}e${place < 0 ? "−" : "+"}${Math.abs(place)}`;
};

/** Write a number in three significant digits, as the tables do. */
numbers.three = (text) => {
  if (text === "" || text === undefined) return "";
  const v = Number(text);
  if (!Number.isFinite(v)) return String(text).replace(/^(\d\.\d\d)\d*(e[+-]?\d+)$/, "$1$2");
  if (v === 0) return "0";
  const e = Number(v.toExponential(2).split("e")[1]);
  if (e >= -4 && e < 3) return numbers.signed(String(Number(v.toPrecision(3))));
  return numbers.signed(`${Number(v.toExponential(2).split("e")[0])}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`);
};

/** Write an error in ulp, ≥ before a lower bound; from 2^(p - 1) ulp on no bit is right. */
numbers.ulps = (ulp, fmt, lower = false) => {
  if (ulp === "" || Number.isNaN(Number(ulp))) return "";
  return Number(ulp) >= 2 ** (fmt.precision - 1) ? "no bit right" : `${lower ? "≥ " : ""}${numbers.three(ulp)} ulp`;
};

/** Return the float64 that a C99 hex float names. */
numbers.from_hex = (text) => {
  const m = /^(-?)0x([0-9a-f]+)\.?([0-9a-f]*)p([+-]?\d+)$/.exec(text);
  if (!m) return Number(text || NaN);
  const size = Number(BigInt("0x" + m[2] + m[3])), e = Number(m[4]) - 4 * m[3].length, half = Math.trunc(e / 2);
  return (m[1] ? -1 : 1) * size * 2 ** half * 2 ** (e - half);
};

/** Return where an input stands on the axis of a problem; see figures/axes.py. */
numbers.position = (x, problem, fmt) => {
  const { real, unit, least, most, end } = report.core.knots;
  if (problem.input === "probability") {
    const at = (q) => (q === 0 ? end : numbers.between(Math.log10(q), unit));
    return x < 0.5 ? -at(x) : at(1 - x);
  }
  if (x === 0) return 0;
  const knots = [[Math.log10(fmt.least), least], ...real, [Math.log10(fmt.max), most]];
  return Math.sign(x) * numbers.between(Math.log10(Math.min(Math.abs(x), fmt.max)), knots);
};

/** Interpolate between knots [place, value], beyond their ends the value of the end. */
numbers.between = (v, knots) => {
  if (v <= knots[0][0]) return knots[0][1];
  for (let i = 1; i < knots.length; i++) {
    const [[a, from], [b, to]] = [knots[i - 1], knots[i]];
    if (v <= b) return from + ((v - a) / (b - a)) * (to - from);
  }
  return knots[knots.length - 1][1];
};
