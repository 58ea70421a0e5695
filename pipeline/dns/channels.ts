// How a question is put to the servers. c-ares adapts its time-outs to the answers it got: if most come at once, it waits a
// second or two for a slow zone, and misses an answer that comes later. So a question that waits is asked once more over a
// channel that has no answers yet, and so waits for the whole time.
import { Resolver } from 'node:dns/promises';

export type DnsChannels<Answer> = {
  /** `ask` is called with one channel or two; what counts is the first answer that is no time-out. Must not reject. */
  readonly ask: (ask: (channel: Resolver) => Promise<Answer>) => Promise<Answer>;
  readonly cancel: () => void;
};

const tries = 2;
/** A question that waits longer is asked over the patient channel, too. */
const patienceMs = 300;
/** Answers after which a channel is patient no more (c-ares goes by three). */
const answersPerChannel = 2;

type Channel = { readonly resolver: Resolver; answers: number; underway: number };

/** Channels to these servers. Throws at once if a server's address is wrong. */
export function createChannels<Answer>({
  servers,
  timeoutMs,
  isTimeout,
}: {
  readonly servers: readonly string[];
  readonly timeoutMs: number;
  readonly isTimeout: (answer: Answer) => boolean;
}): DnsChannels<Answer> {
  const open = (timeout: number, times: number): Resolver => {
    const resolver = new Resolver({ timeout, tries: times });
    if (servers.length > 0) resolver.setServers(servers);
    return resolver;
  };
  const usual = open(Math.max(100, Math.floor(timeoutMs / (tries * Math.max(1, servers.length)))), tries);
  const channels = new Set<Channel>();
  let patient: Channel | null = null;

  const askPatiently = async (ask: (channel: Resolver) => Promise<Answer>): Promise<Answer> => {
    patient ??= { resolver: open(timeoutMs, 1), answers: 0, underway: 0 };
    const channel = patient;
    channels.add(channel);
    channel.underway += 1;
    const answer = await ask(channel.resolver);
    channel.underway -= 1;
    if (!isTimeout(answer)) channel.answers += 1;
    if (channel.answers >= answersPerChannel && patient === channel) patient = null;
    if (channel.underway === 0) channels.delete(channel);
    return answer;
  };
  return {
    ask: async (ask) => {
      const first = ask(usual);
      const impatient = Promise.withResolvers<null>();
      const timer = setTimeout(() => impatient.resolve(null), Math.min(patienceMs, timeoutMs / 2));
      const early = await Promise.race([first, impatient.promise]);
      clearTimeout(timer);
      return early ?? firstAnswer([first, askPatiently(ask)], isTimeout);
    },
    cancel: () => {
      usual.cancel();
      for (const { resolver } of channels) resolver.cancel();
    },
  };
}

/** The first that is no time-out; if all are, the last of them. */
function firstAnswer<Answer>(
  asked: readonly [Promise<Answer>, Promise<Answer>],
  isTimeout: (answer: Answer) => boolean,
): Promise<Answer> {
  const answered = Promise.withResolvers<Answer>();
  let open = asked.length;
  for (const answer of asked) {
    void answer.then((value) => {
      open -= 1;
      if (!isTimeout(value) || open === 0) answered.resolve(value);
    });
  }
  return answered.promise;
}
