// Whether an address is written to any more: the `suppressions/` objects, as the deliver stage leaves them.

import { z } from 'zod';
import type { EmailAddress } from '#mail/address.ts';
import { suppressionKey } from './keys.ts';
import type { ObjectStore } from './ports.ts';
import { readBody } from './read-body.ts';

const recordSchema = z.looseObject({ reason: z.string().optional() });

/** Answers why nothing is sent to an address any more, as a sentence, or null where it is written to. */
export function suppressionLookup(store: Pick<ObjectStore, 'get'>): (address: EmailAddress) => Promise<string | null> {
  return async (address) => {
    const keys = [suppressionKey(address), suppressionKey({ ...address, localPart: address.localPart.toLowerCase() })];
    for (const key of new Set(keys)) {
      const object = await store.get(key);
      if (object === null) continue;
      const record = recordSchema.parse(JSON.parse((await readBody(object.body)).toString('utf8')));
      return record.reason ?? 'mail to it was refused for good before';
    }
    return null;
  };
}
