// SQS standard queues as they are documented: at least once (a message may be handed out twice, also after it was deleted), in any order,
// hidden for its visibility timeout, delayed by at most 900 s, moved to the dead letters after maxReceiveCount hand-outs.
import {
  deadLetterQueue,
  lanesOf,
  type QueueName,
  queueNames,
  receivesBeforeDead,
  stages,
  visibilitySeconds,
} from '#pipeline/contract/stages.ts';
import type { Random } from '#test/simulation/engine/random.ts';

type Attributes = Readonly<Record<string, { readonly DataType: string; readonly StringValue: string }>>;

export type SimMessage = {
  readonly id: string;
  readonly body: string;
  readonly group: string | undefined;
  readonly attributes: Attributes;
  readonly sentAt: number;
  visibleAt: number;
  receives: number;
};

/** What a queue is sent. Times are seconds. */
export type SentMessage = Pick<SimMessage, 'body' | 'group' | 'attributes'> & { readonly delaySeconds: number };

/** One message as it is handed out. */
export type HandedOut = { readonly message: SimMessage; readonly receipt: string; readonly receives: number };

export type SimQueue = {
  readonly name: string;
  readonly messages: Set<SimMessage>;
  readonly visibilityMs: number;
  readonly send: (sent: SentMessage) => string;
  readonly receive: (max: number) => readonly HandedOut[];
  readonly remove: (receipt: string) => void;
  /** False: the message is not hidden (SQS: MessageNotInflight). */
  readonly hide: (receipt: string, seconds: number) => boolean;
  /** When the next message may be handed out; null: there is none. */
  readonly nextAt: () => number | null;
  /** Hears that this may have changed. */
  onChange: () => void;
};

export type SqsWorld = {
  readonly now: () => number;
  readonly random: Random;
  readonly note: (line: string) => void;
  /** How likely a message is handed out twice at a time, and again after it was deleted. */
  readonly duplicate: () => number;
  readonly afterDelete: () => number;
};

/** All queues of the service, with their dead letters, by name. */
export function createSimSqs(world: SqsWorld): ReadonlyMap<string, SimQueue> {
  const queues = new Map<string, SimQueue>();
  for (const name of queueNames) {
    const stage = stageOf(name);
    const dead = createQueue(world, {
      name: deadLetterQueue(name),
      visibilityMs: 30_000,
      maxReceives: Number.POSITIVE_INFINITY,
      dead: null,
    });
    queues.set(dead.name, dead);
    const visibilityMs = visibilitySeconds(stage) * 1_000;
    queues.set(name, createQueue(world, { name, visibilityMs, maxReceives: receivesBeforeDead(stage), dead }));
  }
  return queues;
}

/** The stage that reads a queue. */
export function stageOf(queue: QueueName): (typeof stages)[keyof typeof stages] {
  return Object.values(stages).find((stage) => lanesOf(stage).some(({ consumes }) => consumes === queue))!;
}

type QueueRules = {
  readonly name: string;
  readonly visibilityMs: number;
  readonly maxReceives: number;
  readonly dead: SimQueue | null;
};

function createQueue(world: SqsWorld, { name, visibilityMs, maxReceives, dead }: QueueRules): SimQueue {
  const { now, random, note } = world;
  const messages = new Set<SimMessage>();
  const receipts = new Map<string, SimMessage>();
  const newest = new Map<SimMessage, string>();
  let count = 0;
  const moveToDead = (message: SimMessage): void => {
    messages.delete(message);
    note(`${name} ${message.id} is a dead letter after ${message.receives}`);
    dead?.messages.add({ ...message, visibleAt: now(), receives: 0 });
  };
  const handOut = (message: SimMessage): HandedOut => {
    message.receives += 1;
    const isTwice = random.chance(world.duplicate());
    message.visibleAt = now() + (isTwice ? random.between(0, 20_000) : visibilityMs);
    count += 1;
    const receipt = `${message.id}#${count}`;
    receipts.set(receipt, message);
    newest.set(message, receipt);
    return { message, receipt, receives: message.receives };
  };
  const queue: SimQueue = {
    name,
    messages,
    visibilityMs,
    onChange: () => {},
    send: ({ delaySeconds, ...sent }) => {
      count += 1;
      const id = `${name}-${count}`;
      // Delivery may take a moment, and a delay is not exact.
      const visibleAt = now() + delaySeconds * 1_000 + random.between(0, delaySeconds > 0 ? 1_500 : 200);
      messages.add({ ...sent, id, sentAt: now(), visibleAt, receives: 0 });
      queue.onChange();
      return id;
    },
    receive: (max) => {
      const visible = [...messages].filter(({ visibleAt }) => visibleAt <= now());
      const given: HandedOut[] = [];
      while (visible.length > 0 && given.length < max) {
        const [message] = visible.splice(random.between(0, visible.length - 1), 1);
        if (message === undefined) break;
        if (message.receives >= maxReceives) moveToDead(message);
        else given.push(handOut(message));
      }
      return given;
    },
    remove: (receipt) => {
      const message = receipts.get(receipt);
      if (message === undefined) return;
      // With an older receipt the request succeeds, and the message may stay.
      if (newest.get(message) !== receipt && random.chance(0.5)) return;
      if (random.chance(world.afterDelete())) {
        note(`${name} ${message.id} is deleted and comes again`);
        message.visibleAt = now() + random.between(1_000, 900_000);
      } else messages.delete(message);
      queue.onChange();
    },
    hide: (receipt, seconds) => {
      const message = receipts.get(receipt);
      if (message === undefined || !messages.has(message) || message.visibleAt <= now()) return false;
      message.visibleAt = now() + seconds * 1_000;
      queue.onChange();
      return true;
    },
    nextAt: () => {
      let next = Number.POSITIVE_INFINITY;
      for (const { visibleAt } of messages) next = Math.min(next, visibleAt);
      return Number.isFinite(next) ? next : null;
    },
  };
  return queue;
}
