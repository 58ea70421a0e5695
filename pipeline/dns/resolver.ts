// Asks the DNS, caches the answers, and keeps to a time limit. c-ares does EDNS and the fallback to TCP (RFC 7766). Only
// address records carry their TTL up to here; the others are cached for a fixed time.
import type { Resolver } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';
import type { Clock, Resolve } from '#pipeline/contract/ports.ts';
import { boundedTable } from '#pipeline/run/bounded-table.ts';
import {
  copyAnswer,
  type DnsError,
  type DnsErrorCode,
  dnsError,
  dnsErrorCode,
  isTemporaryDnsError,
  rememberedDnsError,
  saidOf,
} from './answer.ts';
import { createDnsBreaker } from './breaker.ts';
import { createChannels } from './channels.ts';

export type ResolverOptions = {
  /** `address:port` each (`192.0.2.53`, `127.0.0.1:5353`, `[::1]:5353`); empty: those of the machine. */
  readonly servers: readonly string[];
  /** How long one question may take, all servers and repetitions together. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Answers cached at most; the least recently used go first. */
  readonly maxEntries?: number;
  /** How long an answer is cached at most, and how long if its TTL is not known. */
  readonly answerSeconds?: number;
  /** How long "no such name" and "no such record" are cached. */
  readonly negativeSeconds?: number;
  /** How long "no answer" is cached: a DNS that fails costs one wait, not one for each message. */
  readonly failureSeconds?: number;
  /** Called each time that a zone, or one question, is found not to answer (breaker.ts). */
  readonly onBreakerOpened?: () => void;
};

export type DnsResolver = {
  /** Rejects with a `DnsError`, never with anything else. */
  readonly resolve: Resolve;
  /**
   * Whether any server answers at all, if only that a name does not exist. An answer since `sinceMs` (milliseconds of the
   * clock; by default a second ago) is enough; without one, a question is asked that every resolver can answer.
   */
  readonly answers: (sinceMs?: number) => Promise<boolean>;
  /** Forgets everything. */
  readonly clear: () => void;
  /** Cancels the questions under way (each rejects with `ETIMEOUT`) and forgets everything. */
  readonly close: () => void;
};

type Answer =
  | { readonly kind: 'answer'; readonly value: unknown; readonly seconds: number }
  | { readonly kind: 'error'; readonly code: DnsErrorCode; readonly said?: string };

/** If a question took so much longer than its limit, this process stood still meanwhile (a frozen function). */
const asleepMs = 2_000;
/** After an answer the servers are taken to work for so long. */
const wellMs = 1_000;
/** Every resolver that works can answer this: it tells whether the servers or one zone do not answer. */
const probe = { name: 'com', type: 'NS' } as const;

/** A resolver of its own, apart from the process-wide one. Throws at once if a server's address is wrong. */
export function createResolver(options: ResolverOptions): DnsResolver {
  const { clock, answerSeconds = 60, negativeSeconds = 10, failureSeconds = 1 } = options;
  const isTimeout = (answer: Answer): boolean => answer.kind === 'error' && answer.code === 'ETIMEOUT';
  const channels = createChannels<Answer>({ ...options, isTimeout });
  const breaker = createDnsBreaker({ clock, onOpened: options.onBreakerOpened ?? (() => {}) });
  const cache = createAnswerCache(clock, options.maxEntries ?? 10_000);
  let answeredAt = Number.NEGATIVE_INFINITY;
  const holdSeconds = (answer: Answer): number => {
    if (answer.kind === 'answer') return Math.min(answer.seconds, answerSeconds);
    return isTemporaryDnsError(answer.code) ? failureSeconds : negativeSeconds;
  };
  const ask = async (name: string, type: string): Promise<Answer> => {
    if (!isAskable(name)) return { kind: 'error', code: 'EBADNAME' };
    const [askedAtMs, startedAt] = [clock(), performance.now()];
    const question = { name, type, answerSeconds };
    const answer = await within(options.timeoutMs, () => channels.ask((channel) => askServers(channel, question)));
    const wasAsleep = performance.now() - startedAt > options.timeoutMs + asleepMs;
    const code = answer.kind === 'error' ? answer.code : null;
    if (code === null || !isTemporaryDnsError(code)) answeredAt = clock();
    if (!(wasAsleep && isTimeout(answer))) breaker.note({ name, type, code, askedAtMs });
    return answer;
  };
  return {
    resolve: async (name, type, { failFast = false } = {}) => {
      const key = `${type} ${name.toLowerCase().replace(/\.$/, '')}`;
      const refusal = failFast && !cache.holds(key) ? breaker.refusal(name, type) : null;
      if (refusal !== null) throw rememberedDnsError(refusal, name, type);
      const answer = await cache.get(key, () => ask(name, type), holdSeconds);
      if (answer.kind === 'error') throw errorOf(answer, name, type);
      return copyAnswer(answer.value);
    },
    answers: async (sinceMs = clock() - wellMs) => {
      if (answeredAt >= sinceMs) return true;
      // Only that there is no answer is cached, so that many callers ask once.
      const holdFailure = (found: Answer): number => (isAlive(found) ? 0 : failureSeconds);
      return isAlive(await cache.get('probe', () => ask(probe.name, probe.type), holdFailure));
    },
    clear: () => {
      cache.clear();
      breaker.clear();
    },
    close: () => {
      channels.cancel();
      cache.clear();
    },
  };
}

function errorOf({ code, said }: Extract<Answer, { readonly kind: 'error' }>, name: string, type: string): DnsError {
  const error = dnsError(code, name, type);
  return said === undefined ? error : Object.assign(error, { said });
}

/** A refusal, too, comes from a server that is there: it may know only its own zones. */
function isAlive(answer: Answer): boolean {
  return answer.kind === 'answer' || answer.code === 'EREFUSED' || !isTemporaryDnsError(answer.code);
}

/** A name the DNS can hold: labels of 1 to 63 octets, 253 in all (RFC 1035 §2.3.4), nothing c-ares reads as an escape. */
function isAskable(name: string): boolean {
  const bare = name.replace(/\.$/, '');
  if (bare === '' || bare.length > 253 || /[\\\p{Cc}\s]/u.test(bare)) return false;
  return bare.split('.').every((label) => label.length > 0 && label.length <= 63);
}

type Question = { readonly name: string; readonly type: string; readonly answerSeconds: number };

/** The adapter: what c-ares throws becomes a value. */
async function askServers(resolver: Resolver, question: Question): Promise<Answer> {
  try {
    return await askTyped(resolver, question);
  } catch (error) {
    const said = saidOf(error);
    return { kind: 'error', code: dnsErrorCode(error), ...(said === null ? {} : { said }) };
  }
}

async function askTyped(resolver: Resolver, { name, type, answerSeconds }: Question): Promise<Answer> {
  switch (type) {
    case 'A':
      return addresses(await resolver.resolve4(name, { ttl: true }));
    case 'AAAA':
      return addresses(await resolver.resolve6(name, { ttl: true }));
    case 'MX':
    case 'TXT':
    case 'PTR':
    case 'CNAME':
    case 'NS':
    case 'SRV':
    case 'SOA':
    case 'CAA':
      return records(await resolver.resolve(name, type), answerSeconds);
    case 'TLSA':
      return records(await resolver.resolveTlsa(name), answerSeconds);
    default:
      throw new Error(`no such type: ${type}`);
  }
}

function addresses(found: readonly { readonly address: string; readonly ttl: number }[]): Answer {
  const value = found.map(({ address }) => address);
  if (value.length === 0) return { kind: 'error', code: 'ENODATA' };
  return { kind: 'answer', value, seconds: Math.min(...found.map(({ ttl }) => ttl)) };
}

function records(value: unknown, seconds: number): Answer {
  if (Array.isArray(value) && value.length === 0) return { kind: 'error', code: 'ENODATA' };
  return { kind: 'answer', value, seconds };
}

/** c-ares adds pauses between repetitions: this enforces the limit. */
async function within(timeoutMs: number, ask: () => Promise<Answer>): Promise<Answer> {
  const late = Promise.withResolvers<Answer>();
  const timer = setTimeout(() => late.resolve({ kind: 'error', code: 'ETIMEOUT' }), timeoutMs);
  try {
    return await Promise.race([ask(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

type AnswerCache = {
  /** The cached answer, or that of `ask`, which is cached for as many seconds as `holdSeconds` says. */
  readonly get: (key: string, ask: () => Promise<Answer>, holdSeconds: (answer: Answer) => number) => Promise<Answer>;
  readonly holds: (key: string) => boolean;
  readonly clear: () => void;
};

/** Bounded. If the same question is under way, its answer is shared. `ask` must not reject. */
function createAnswerCache(clock: Clock, maxEntries: number): AnswerCache {
  const entries = new LRUCache<string, { readonly answer: Answer; readonly untilMs: number }>(boundedTable(maxEntries));
  const underway = new Map<string, Promise<Answer>>();
  const recall = (key: string): Answer | undefined => {
    const entry = entries.get(key);
    return entry !== undefined && entry.untilMs > clock() ? entry.answer : undefined;
  };
  return {
    get: async (key, ask, holdSeconds) => {
      const known = recall(key);
      if (known !== undefined) return known;
      const asked = underway.get(key) ?? ask();
      underway.set(key, asked);
      try {
        const answer = await asked;
        const seconds = underway.get(key) === asked ? holdSeconds(answer) : 0; // else another was first, or the cache was cleared
        if (seconds > 0) entries.set(key, { answer, untilMs: clock() + seconds * 1_000 });
        return answer;
      } finally {
        if (underway.get(key) === asked) underway.delete(key);
      }
    },
    holds: (key) => recall(key) !== undefined,
    clear: () => {
      entries.clear();
      underway.clear();
    },
  };
}
