// Releases a stored message: sends a copy of it to real addresses, so that somebody sees what it looks like there. The copy is a message
// of its own, with an id, deliveries and a trace like any other. Only addresses that the configuration names (`release.to`) get one.
import { z } from 'zod';
import { type EmailAddress, parseAddress } from '#mail/address/address.ts';
import { forwardPathProblem } from '#mail/address/path.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { isProblem } from '#mail/problem.ts';
import { json, notFound, refusal } from '#ops/api/answer.ts';
import { messageId } from '#ops/api/parameters.ts';
import { bodyUseCase, useCase } from '#ops/api/use-case.ts';
import type { Config } from '#pipeline/config/config.ts';

/** Addresses of one release at most. */
export const maxReleasedTo = 20;
const maxBodyBytes = 65_536;

const failedDomain = z.object({ domain: z.string(), to: z.array(z.string()), reason: z.string() });
type FailedDomain = Readonly<z.output<typeof failedDomain>>;

/**
 * `queued`: its copy `id` is stored, with a job for each of the `domains`, which `to` are of; `reversePath` is where reports about it go,
 * empty: nowhere. `failed`: domains whose job could not be queued, with their addresses: these get nothing unless it is asked again.
 * `not-allowed`: the configuration does not name all addresses. `refused`: it cannot be sent on. Nobody gets it then.
 */
export type ReleaseOutcome =
  | {
      readonly outcome: 'queued';
      readonly id: MessageId;
      readonly to: readonly string[];
      readonly domains: readonly string[];
      readonly reversePath: string;
      readonly failed: readonly FailedDomain[];
    }
  | { readonly outcome: 'not-found' }
  | { readonly outcome: 'not-allowed' | 'refused'; readonly reason: string };

/** `by`: who asks, for the trace. */
export type ReleaseRequest = { readonly id: MessageId; readonly to: readonly EmailAddress[]; readonly by: string };

/** `rules`: those in force. */
export type Releases = {
  readonly rules: () => Promise<Config['release']>;
  readonly release: (request: ReleaseRequest) => Promise<ReleaseOutcome>;
};

const recipient = z.string().transform((given, context): EmailAddress => {
  const address = parseAddress(given);
  const problem = isProblem(address) ? address : forwardPathProblem(address);
  if (problem === null && !isProblem(address)) return address;
  context.issues.push({ code: 'custom', message: `not an address: ${problem?.problem}`, input: given });
  return z.NEVER;
});

export const releaseMessage = bodyUseCase({
  about: 'release: send a copy of a stored message on to real addresses, which release.to of the configuration allows',
  takes: { ID: messageId },
  body: {
    schema: z.strictObject({
      to: z
        .array(recipient)
        .min(1, 'expected an address')
        .max(maxReleasedTo, `at most ${maxReleasedTo} addresses at once`),
    }),
    maxBytes: maxBodyBytes,
  },
  gives: z.object({
    id: z.string(),
    of: z.string(),
    outcome: z.literal('queued'),
    to: z.array(z.string()),
    reversePath: z.string(),
    deliveries: z.array(z.object({ id: z.string(), domain: z.string() })),
    failed: z.array(failedDomain),
  }),
  status: 202,
  refuses: ['release-not-allowed', 'not-released'],
  answer: async ({ releases }: { readonly releases: Releases }, { parameters: { ID: of }, body }, { from }) => {
    const released = await releases.release({ id: of, to: body.to, by: askedBy(from) });
    switch (released.outcome) {
      case 'queued': {
        const { id, domains, ...rest } = released;
        return json({ id, of, ...rest, deliveries: domains.map((domain) => ({ id, domain })) }, 202);
      }
      case 'not-found':
        return notFound(`message ${of} is not stored, or not any more`);
      case 'not-allowed':
        return refusal(403, 'release-not-allowed', released.reason);
      case 'refused':
        return refusal(409, 'not-released', released.reason);
    }
  },
});

/** Where messages may be released to, and where reports about them go; null: to their own sender or nowhere. */
export const releaseRules = z.object({ to: z.array(z.string()), reversePath: z.string().nullable() });

export const showReleaseRules = useCase({
  about: 'where stored messages may be released to: release of the configuration',
  takes: {},
  gives: releaseRules,
  answer: async ({ releases }: { readonly releases: Releases }) => json(await releases.rules()),
});

/** Who asks for something that is to be told of in a trace; `from` is empty without a connection, for a command with --stack. */
export function askedBy(from: string): string {
  return from === '' ? 'the command line' : from;
}
