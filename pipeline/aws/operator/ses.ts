// What SES says of an account and of its identities (API version 2).
import { z } from 'zod';
import type { AwsPlace } from '#pipeline/aws/clients.ts';
import { createAsker } from './ask-service.ts';

const accountSchema = z
  .object({
    ProductionAccessEnabled: z.boolean().default(false),
    SendingEnabled: z.boolean().default(false),
    EnforcementStatus: z.string().default(''),
    SendQuota: z.object({ Max24HourSend: z.number().default(0), MaxSendRate: z.number().default(0) }).prefault({}),
    Details: z.object({ ReviewDetails: z.object({ Status: z.string().nullish() }).nullish() }).nullish(),
  })
  .transform((answer) => ({
    /** Out of the sandbox. */
    isProduction: answer.ProductionAccessEnabled,
    isSending: answer.SendingEnabled,
    /** HEALTHY, PROBATION or SHUTDOWN. */
    enforcement: answer.EnforcementStatus,
    /** PENDING, FAILED, GRANTED or DENIED: the request for production access; null if there was none. */
    review: answer.Details?.ReviewDetails?.Status ?? null,
    messagesPerDay: answer.SendQuota.Max24HourSend,
    messagesPerSecond: answer.SendQuota.MaxSendRate,
  }));

const identitySchema = z
  .object({
    VerifiedForSendingStatus: z.boolean().default(false),
    VerificationStatus: z.string().default(''),
    DkimAttributes: z.object({ Status: z.string().default(''), Tokens: z.array(z.string()).nullish() }).prefault({}),
    MailFromAttributes: z
      .object({ MailFromDomain: z.string().nullish(), MailFromDomainStatus: z.string().nullish() })
      .nullish(),
  })
  .transform((answer) => ({
    isVerified: answer.VerifiedForSendingStatus,
    /** PENDING, SUCCESS, FAILED … */
    status: answer.VerificationStatus,
    dkimStatus: answer.DkimAttributes.Status,
    /** Of the CNAME records by which SES knows the domain, and signs for it. */
    dkimTokens: answer.DkimAttributes.Tokens ?? [],
    /** The domain of the return paths that SES puts on mail; null: its own. */
    mailFrom: answer.MailFromAttributes?.MailFromDomain ?? null,
    mailFromStatus: answer.MailFromAttributes?.MailFromDomainStatus ?? '',
  }));

export type SesAccount = Readonly<z.output<typeof accountSchema>>;
export type SesIdentity = Readonly<z.output<typeof identitySchema>>;

/** `identity`: null if there is none of that name. Both throw an Error named as AWS names it (`AccessDeniedException`). */
export type SesReader = {
  readonly account: () => Promise<SesAccount>;
  readonly identity: (domain: string) => Promise<SesIdentity | null>;
};

/** SES of the place's region. */
export function createSesReader(place: AwsPlace): SesReader {
  const asker = createAsker(place, { host: 'email', name: 'ses' });
  const ask = (path: string) => asker({ method: 'GET', path: `/v2/email${path}`, headers: {}, body: '' });
  return {
    account: async () => accountSchema.parse(await ask('/account')),
    identity: async (domain) => {
      try {
        return identitySchema.parse(await ask(`/identities/${encodeURIComponent(domain)}`));
      } catch (thrown) {
        if (thrown instanceof Error && thrown.name === 'NotFoundException') return null;
        throw thrown;
      }
    },
  };
}
