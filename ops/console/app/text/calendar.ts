// What a calendar file (iCalendar, RFC 5545) says, as far as a preview shows it: the events with summary, time and place.

export type CalendarEvent = {
  readonly summary: string;
  readonly start: string;
  readonly end: string;
  readonly place: string;
  /** `daily`, `weekly`, `monthly`, `yearly`; empty if it is once. */
  readonly repeats: string;
  readonly organizer: string;
  readonly attendees: readonly string[];
};

/** `method`: REQUEST is an invitation, CANCEL its end; empty if there is none. */
export type Calendar = { readonly method: string; readonly events: readonly CalendarEvent[] };

const mostEvents = 20;

/** Empty for what is no calendar. Times of another zone are told as they are written, with the zone's name. */
export function readCalendar(text: string): Calendar {
  const lines = text.replace(/\r?\n[ \t]/g, '').split(/\r?\n/); // RFC 5545 §3.1: folded lines
  const properties = lines.flatMap(readLine);
  const method = properties.find(({ name }) => name === 'METHOD')?.value ?? '';
  const blocks: Property[][] = [];
  let depth = 0;
  for (const property of properties) {
    const { name, value } = property;
    if (name === 'BEGIN' && value === 'VEVENT') blocks.push([]);
    if (name === 'BEGIN') depth = value === 'VEVENT' ? 1 : depth + 1;
    else if (name === 'END') depth -= 1;
    else if (depth === 1) blocks.at(-1)?.push(property); // alarms inside an event have a time of their own
  }
  return { method, events: blocks.slice(0, mostEvents).map(eventOf) };
}

type Property = { readonly name: string; readonly parameters: string; readonly value: string };

function readLine(line: string): readonly Property[] {
  const [, name, parameters = '', value = ''] = /^([A-Za-z-]+)((?:;(?:[^":]|"[^"]*")*)?):(.*)$/s.exec(line) ?? [];
  return name === undefined ? [] : [{ name: name.toUpperCase(), parameters, value }];
}

function eventOf(properties: readonly Property[]): CalendarEvent {
  const one = (name: string) => properties.find((property) => property.name === name);
  return {
    summary: unescaped(one('SUMMARY')?.value ?? ''),
    start: timeOf(one('DTSTART')),
    end: timeOf(one('DTEND')),
    place: unescaped(one('LOCATION')?.value ?? ''),
    repeats: /FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)/i.exec(one('RRULE')?.value ?? '')?.[1]?.toLowerCase() ?? '',
    organizer: person(one('ORGANIZER')),
    attendees: properties.filter(({ name }) => name === 'ATTENDEE').map(person),
  };
}

/** `2026-11-30 09:30 to 09:45 Europe/Berlin`: the day and the zone once, where both times have them. */
export function timesOf({ start, end }: Pick<CalendarEvent, 'start' | 'end'>): string {
  if (end === '' || end === start) return start;
  const [day = '', from, ...zone] = start.split(' ');
  const [lastDay, to, ...lastZone] = end.split(' ');
  if (day !== lastDay || to === undefined || zone.join() !== lastZone.join()) return `${start} to ${end}`;
  return [day, from, 'to', to, ...zone].join(' ');
}

function timeOf(property: Property | undefined): string {
  const [, year, month, day, hour, minute, utc] =
    /^(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z?))?/.exec(property?.value ?? '') ?? [];
  if (year === undefined) return '';
  const date = `${year}-${month}-${day}`;
  if (hour === undefined) return date;
  if (utc === 'Z') return `${date} ${hour}:${minute} UTC`;
  const zone = /TZID="?([^";:]+)/i.exec(property?.parameters ?? '')?.[1];
  return `${date} ${hour}:${minute}${zone === undefined ? '' : ` ${zone}`}`;
}

function person(property: Property | undefined): string {
  if (property === undefined) return '';
  const name = /CN=(?:"([^"]*)"|([^;:]*))/i.exec(property.parameters);
  const address = property.value.replace(/^mailto:/i, '');
  const shown = name?.[1] ?? name?.[2] ?? '';
  return shown === '' || shown === address ? address : `${shown} <${address}>`;
}

function unescaped(text: string): string {
  return text.replace(/\\([\\;,nN])/g, (_, char: string) => (/n/i.test(char) ? '\n' : char));
}
