// What `GET /api/events` tells of, by name: one schema each. docs/events.md is made of this table.
import { z } from 'zod';
import { listedMessage } from '#ops/messages/list-messages.ts';
import { deliveryStateSchema } from '#pipeline/contract/records/delivery.ts';

/** `about`: when it comes. `data`: the JSON of its line. */
export const streamedEvents = {
  message: { about: 'a message is stored for a mailbox, as in the list', data: listedMessage },
  delivery: {
    about: 'an outbound delivery has begun, or an attempt has ended; `state` is null if its record cannot be read',
    data: z.object({ id: z.string(), domain: z.string(), state: deliveryStateSchema.shape.state.nullable() }),
  },
  marked: {
    about: 'messages are read, unread or tagged from now on',
    data: z.object({ ids: z.array(z.string()), read: z.boolean(), tags: z.array(z.string()).readonly() }),
  },
  deleted: {
    about:
      'messages are in no mailbox any more; `all`: so many at once that they are not named, so read the list again',
    data: z.union([z.object({ ids: z.array(z.string()) }), z.object({ all: z.literal(true) })]),
  },
  changed: {
    about: 'messages have lost a copy, and have others: by a release from quarantine, or since one copy was deleted',
    data: z.object({ ids: z.array(z.string()) }),
  },
} as const;

export type StreamedEvent = keyof typeof streamedEvents;

/** The text of one event (Server-Sent Events, WHATWG HTML §9.2). */
export function eventText<Name extends StreamedEvent>(
  name: Name,
  data: z.output<(typeof streamedEvents)[Name]['data']>,
): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
