// How figures are written on the page: sizes, times, counts.

/** `0 B`, `1.5 KB`, `12 MB` (powers of 1,024). */
export function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const [amount, unit] = bytes < 1_048_576 ? [bytes / 1_024, 'KB'] : [bytes / 1_048_576, 'MB'];
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${unit}`;
}

/** `1 message`, `2 messages`. `others`: of nouns that do not only take an s. */
export function counted(count: number, noun: string, others = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : others}`;
}

/** As short as a list wants it: the time today, the weekday this week, else the date. */
export function shortTime(at: string, now: Date): string {
  const moment = new Date(at);
  if (moment.toDateString() === now.toDateString()) {
    return clockTime(moment);
  }
  const days = (now.getTime() - moment.getTime()) / 86_400_000;
  if (days >= 0 && days < 6) return moment.toLocaleDateString([], { weekday: 'short' });
  const year = moment.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' as const };
  return moment.toLocaleDateString([], { day: 'numeric', month: 'short', ...year });
}

/** `today, 07:33`; another day with its weekday and date. */
export function mediumTime(at: string, now: Date): string {
  const moment = new Date(at);
  const isToday = moment.toDateString() === now.toDateString();
  const year = moment.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' as const };
  const day = moment.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short', ...year });
  return `${isToday ? 'today' : day}, ${clockTime(moment)}`;
}

function clockTime(moment: Date): string {
  return moment.toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
}

/** In full, to the second. */
export function longTime(at: string): string {
  return new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });
}

/** `3 s`, `5 min`, `2 h`, `4 days`. */
export function span(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
