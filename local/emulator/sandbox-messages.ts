// What a sandbox and its host say to each other.
import { z } from 'zod';

/** To the sandbox: an event to handle, or another time. */
export const toSandboxSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('event'), id: z.number(), event: z.unknown() }),
  z.object({ kind: z.literal('clock'), aheadMs: z.number() }),
]);

/** From the sandbox: it has imported its bundle; what the handler answered; what it threw. */
export const fromSandboxSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('answer'), id: z.number(), answer: z.unknown() }),
  z.object({ kind: z.literal('threw'), id: z.number(), error: z.string() }),
]);

export type ToSandbox = z.infer<typeof toSandboxSchema>;
export type FromSandbox = z.infer<typeof fromSandboxSchema>;
