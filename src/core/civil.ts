/** Reads and prints calendar times in ISO 8601 by arithmetic: core has no Date. */

const dayMs = 86_400_000;

/** A stretch of time as it was written: a day, a minute, a second or a millisecond, from `ms` since the epoch (UTC). */
export interface CivilTime {
  readonly ms: number;
  readonly lengthMs: number;
}

const pattern = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?([Zz]|[+-]\d\d:?\d\d)?)?$/;

/**
 * Reads `2026-11-20`, `2026-11-20T09:41`, `…:07`, `…:07.250`, each with `Z` or `+01:00`; without a zone it is UTC.
 * Returns null for anything else, also for days that no calendar has.
 */
export function parseCivil(text: string): CivilTime | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  if (!isDay(Number(year), Number(month), Number(day))) return null;
  const start = daysFromCivil(Number(year), Number(month), Number(day)) * dayMs;
  if (hour === undefined) return { ms: start, lengthMs: dayMs };
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59) return null;
  const offset = zoneMs(zone ?? 'Z');
  if (offset === null) return null;
  const ofDay = Number(hour) * 3_600_000 + Number(minute) * 60_000 + Number(second ?? 0) * 1000;
  const lengthMs = fraction !== undefined ? 1 : second !== undefined ? 1000 : 60_000;
  return { ms: start + ofDay + Number((fraction ?? '').padEnd(3, '0')) - offset, lengthMs };
}

/** Prints a time in UTC so that `parseCivil` reads the same back; the precision follows from `lengthMs`. */
export function formatCivil({ ms, lengthMs }: CivilTime): string {
  const days = Math.floor(ms / dayMs);
  const { year, month, day } = civilFromDays(days);
  const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`;
  if (lengthMs === dayMs) return date;
  const ofDay = ms - days * dayMs;
  const minutes = `${digits(Math.floor(ofDay / 3_600_000), 2)}:${digits(Math.floor(ofDay / 60_000) % 60, 2)}`;
  if (lengthMs === 60_000) return `${date}T${minutes}Z`;
  const seconds = digits(Math.floor(ofDay / 1000) % 60, 2);
  return lengthMs === 1000
    ? `${date}T${minutes}:${seconds}Z`
    : `${date}T${minutes}:${seconds}.${digits(ofDay % 1000, 3)}Z`;
}

function isDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const long = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return day <= (long[month - 1] ?? 0);
}

function zoneMs(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return null;
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

// Both count from 1 March of year 0, so that the leap day is the last of its year and eras of 400 years are equal.
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * ofYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
