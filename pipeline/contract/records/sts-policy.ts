// The MTA-STS policy of a domain (RFC 8461) as it was fetched last, for all workers, and after a restart.
import { z } from 'zod';
import { stsPolicyKey } from '#pipeline/contract/keys.ts';
import { recordKind } from './stored-record.ts';

const storedPolicySchema = z.strictObject({
  schema: z.literal('sts-policy/1'),
  domain: z.string(),
  /** The id of the TXT record that it was fetched for. */
  id: z.string(),
  mode: z.enum(['none', 'testing', 'enforce']),
  mx: z.array(z.string()),
  /** Milliseconds since 1970. */
  fetchedAt: z.int(),
  expiresAt: z.int(),
});

/** By domain. */
export const stsPolicyRecord = recordKind(stsPolicyKey, (json) => storedPolicySchema.parse(json));
