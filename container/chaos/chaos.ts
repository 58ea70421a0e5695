// Chaos of a capture server: faults on purpose, so that a sender can be seen to cope with them. It stands between client and
// conversation (disturb-session.ts); the listener knows no more of it. In mode `serve` it does nothing, whatever is set.
import { setTimeout } from 'node:timers/promises';
import type { Disturbance } from '#container/listener-deps.ts';
import type { MessageId } from '#mail/header/message-id.ts';
import { formatChaos } from '#pipeline/chaos/fault-words.ts';
import type { ChaosOutcome } from '#pipeline/chaos/outcome.ts';
import type { ChaosSettings } from '#pipeline/chaos/settings.ts';
import type { Config } from '#pipeline/config/config.ts';
import type { Clock, Log, Metrics } from '#pipeline/contract/ports.ts';
import { disturbSession } from './disturb-session.ts';
import { createDraw, type DrawFault } from './draw-fault.ts';
import { createOutcomes } from './outcomes.ts';
import { seededRandom } from './seeded-random.ts';

const maxWaiting = 100; // sessions held back at once, so that the service stays small

/** `random`: from 0 to 1, for settings without a seed. `sleep`: resolves after the time, or at once when the signal is given. */
export type ChaosDeps = {
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
};

export type Chaos = Disturbance & {
  /** What is in force under a configuration; null: chaos is off. */
  readonly inForce: (config: Config) => ChaosSettings | null;
  /** Puts settings in place of the configuration's until the process ends; null: off. Counts of addresses begin anew. */
  readonly set: (settings: ChaosSettings | null) => void;
  /** Whether they were put in place of the configuration's. */
  readonly isSet: () => boolean;
  /** What was done lately, the newest first; at most a thousand, since the start of the process. */
  readonly recent: () => readonly ChaosOutcome[];
  /** What was done before a message was accepted, in order of time. */
  readonly of: (id: MessageId) => readonly ChaosOutcome[];
};

/** Chaos that is off until the configuration or {@link Chaos.set} says otherwise. */
export function createChaos({ random, clock, log, metrics, sleep = sleepUntil }: ChaosDeps): Chaos {
  const outcomes = createOutcomes(clock);
  const closing = new AbortController();
  let given: { readonly settings: ChaosSettings | null } | null = null;
  let drawing: { readonly settings: ChaosSettings; readonly draw: DrawFault } | null = null;
  let waiting = 0;

  const inForce = (config: Config): ChaosSettings | null => {
    if (config.mode !== 'capture') return null;
    return given === null ? config.chaos : given.settings;
  };
  const drawUnder = (config: Config): DrawFault | null => {
    const settings = inForce(config);
    if (settings === null) return null;
    if (drawing?.settings !== settings) {
      const from = settings.seed === null ? random : seededRandom(settings.seed);
      drawing = { settings, draw: createDraw(settings, from) };
    }
    return drawing.draw;
  };
  const wait = async (seconds: number, left: AbortSignal): Promise<void> => {
    if (waiting >= maxWaiting) return;
    waiting += 1;
    await sleep(seconds * 1_000, AbortSignal.any([left, closing.signal])).finally(() => {
      waiting -= 1;
    });
  };
  return {
    inForce,
    set: (settings) => {
      given = { settings };
      drawing = null;
      log.info('chaos-set', { chaos: settings === null ? 'off' : formatChaos(settings) });
    },
    isSet: () => given !== null,
    recent: outcomes.recent,
    of: outcomes.of,
    disturb: (conversation, { client, config }) => {
      if (config().mode !== 'capture') return conversation;
      return disturbSession(conversation, {
        client,
        draw: () => drawUnder(config()),
        wait,
        happened: (what) => {
          const { id: _, at: __, ...facts } = outcomes.add(what);
          log.info('chaos-fault', facts);
          metrics.count('chaos-faults', { stage: what.stage, ending: what.fault.ending.kind });
        },
        accepted: outcomes.accepted,
      });
    },
    endDelays: () => closing.abort(),
  };
}

/** The only rejection of a timer is that of its signal. */
function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  return setTimeout(ms, undefined, { signal }).catch(() => {});
}
