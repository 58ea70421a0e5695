// A function in a process of its own, so that its memory can be measured: the bundle that argv names, called with each event that comes.
import { z } from 'zod';

const handlerSchema = z.object({ handler: z.function({ input: [z.unknown()], output: z.promise(z.unknown()) }) });
const { handler } = handlerSchema.parse(await import(process.argv[2] ?? ''));
process.on('message', (event) => {
  handler(event).then(
    (answer) => process.send?.(answer),
    (thrown: unknown) => process.send?.({ thrown: String(thrown) }),
  );
});
process.send?.({ ready: true });
