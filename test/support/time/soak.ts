// How much of something a test does: enough to show what it claims, or with `npm run soak` as much as a bad night.

/** `usual`, or `soaking` where PILLARBOX_SOAK is 1. */
export function amount(usual: number, soaking: number): number {
  return process.env['PILLARBOX_SOAK'] === '1' ? soaking : usual;
}
