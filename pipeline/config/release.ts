// Where stored messages may be released to, and where reports about them go. A capture server relays nothing else.
import { z } from 'zod';
import { formatAddress, parseAddress } from '#mail/address/address.ts';
import { isProblem } from '#mail/problem.ts';

/** An address as SMTP writes it. `*@domain` reads as one, too; no wider pattern does. */
const address = z.string().transform((text, context): string => {
  const read = parseAddress(text);
  if (!isProblem(read)) return formatAddress(read);
  context.addIssue({ code: 'custom', message: read.problem });
  return z.NEVER;
});

export const releaseSchema = z
  .strictObject({
    to: z
      .array(address)
      .max(1_000)
      .default([])
      .describe(
        'Where a stored message may be released to: addresses, or `*@domain` for all of a domain. Empty: nowhere.',
      ),
    reversePath: address
      .nullable()
      .default(null)
      .describe(
        'Where reports about released mail go, an address of yours. Null: to its own sender if that is of a domain here, else nowhere.',
      ),
  })
  .describe('Releasing stored messages to real addresses: in mode "capture" the only way that mail leaves.');
