// Sets the clock of a whole process or worker thread ahead, so that days of waiting pass in a test. Timers are not
// touched: what polls (fauxqs, the pollers) sees the new time.
const realNow = Date.now.bind(Date);

/** From now on `Date.now()` is the real time and so many milliseconds. */
export function setClockAhead(aheadMs: number): void {
  Date.now = () => realNow() + aheadMs;
}
