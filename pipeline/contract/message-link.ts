// What a webhook gets in place of an inbox message that is large: where to fetch it.
import { z } from 'zod';

export const messageLinkVersion = 'message-link/1';

/** `url`: answers GET with the JSON of the inbox message until `expiresAt`, to whoever has it. */
export const messageLinkSchema = z.object({
  schema: z.literal(messageLinkVersion),
  key: z.string(),
  bytes: z.int().nonnegative(),
  url: z.url(),
  expiresAt: z.iso.datetime({ precision: 3 }),
});
