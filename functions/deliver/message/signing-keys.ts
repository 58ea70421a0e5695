// The private keys that sign what goes out for a domain of ours: read by reference, kept for a few minutes.
import { createPrivateKey } from 'node:crypto';
import type { SigningKey } from '#mail/dkim/sign-message.ts';
import { errorMessage, isProblem, type Problem, problem } from '#mail/problem.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Clock, Secrets } from '#pipeline/contract/ports.ts';
import { ownFault } from '#pipeline/run/own-fault.ts';

type KeyDeps = { readonly secrets: Secrets; readonly clock: Clock; readonly keys: KeyCache };

/** Parsed private keys by reference: reading and parsing one costs more than signing with it. */
export type KeyCache = Map<string, { readonly key: Promise<SigningKey['key']>; readonly readAt: number }>;

const keyCacheMs = 300_000;

/** The keys of a domain; none if it is null or has none. Throws if one cannot be read. */
export async function signingKeys(deps: KeyDeps, config: Config, domain: string | null): Promise<SigningKey[]> {
  const keys = Object.entries(config.domains).find(([name]) => name === domain)?.[1].dkim ?? [];
  return Promise.all(
    keys.map(async ({ selector, privateKey }) => ({ selector, key: await readKey(deps, privateKey) })),
  );
}

function readKey({ secrets, clock, keys }: KeyDeps, reference: string): Promise<SigningKey['key']> {
  const cached = keys.get(reference);
  if (cached !== undefined && clock() - cached.readAt < keyCacheMs) return cached.key;
  const key = parseKey(secrets, reference);
  keys.set(reference, { key, readAt: clock() });
  key.catch(() => keys.delete(reference));
  return key;
}

/** What was read some minutes ago and cannot be used may have been mended since: the newest decides. */
async function parseKey(secrets: Secrets, reference: string): Promise<SigningKey['key']> {
  const known = keyOf(await readSecret(secrets, reference, false));
  if (!isProblem(known)) return known;
  const newest = keyOf(await readSecret(secrets, reference, true));
  if (!isProblem(newest)) return newest;
  throw ownFault('secret', `the DKIM key ${JSON.stringify(reference)} cannot be used: ${newest.problem}`);
}

async function readSecret(secrets: Secrets, reference: string, fresh: boolean): Promise<string> {
  try {
    return await secrets.read(reference, { fresh });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = errorMessage(cause);
    throw ownFault('secret', `the DKIM key ${JSON.stringify(reference)} cannot be read: ${why}`, { cause: error });
  }
}

function keyOf(pem: string): SigningKey['key'] | Problem {
  try {
    const key = createPrivateKey(pem);
    const type = key.asymmetricKeyType;
    return type === 'rsa' || type === 'ed25519' ? key : problem(`it is of type ${type}; RSA or Ed25519 is needed`);
  } catch (error) {
    return problem(`it is no private key in PEM (${errorMessage(error)})`);
  }
}
