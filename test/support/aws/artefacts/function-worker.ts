// Inside the process of one function: what Lambda's runtime does. Imports the handler that the template names, calls it with
// the events that come as messages, and sends back what it answers. A test may set its clock ahead.
import { setClockAhead } from '#local/emulator/clock-ahead.ts';

const [file = '', name = ''] = process.argv.slice(2);
const { [name]: handler } = await import(file);
if (typeof handler !== 'function') throw new Error(`${file} exports no ${name}`);

process.on('message', async ({ id, event, aheadMs }: { id: number; event: unknown; aheadMs?: number }) => {
  if (aheadMs !== undefined) return setClockAhead(aheadMs);
  try {
    process.send?.({ id, answer: await handler(event) });
  } catch (thrown) {
    process.send?.({ id, error: String(thrown) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0 });
