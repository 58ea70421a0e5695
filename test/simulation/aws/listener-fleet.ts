// The listener's tasks behind their load balancer: some die and are started anew, some are replaced by a deployment, which lets them finish.
import type { Listener } from '#container/listener.ts';
import { createProcess, currentProcess, outside, type SimProcess } from '#test/simulation/engine/process.ts';
import type { Reach, SimSocket } from '#test/simulation/engine/sockets.ts';
import type { FaultyWorld } from '#test/simulation/faults.ts';
import { composeListener, type Surroundings } from './composition.ts';

export type ListenerFleet = {
  /** The load balancer's choice for a new connection. */
  readonly reach: () => ReturnType<Reach>;
  readonly bind: (port: number, accept: ((socket: SimSocket) => void) | null) => void;
  /** No more mail comes: all are told to stop, and none is started anew. */
  readonly close: () => void;
  readonly isClosed: () => boolean;
};

export type FleetWorld = FaultyWorld & { readonly surroundings: Surroundings };

type Task = { readonly process: SimProcess; accept: ((socket: SimSocket) => void) | null; listener: Listener | null };

const graceSeconds = 110;

/** Starts a task or two as soon as the world runs. */
export function startFleet(world: FleetWorld): ListenerFleet {
  const { clock, note, faults, mayFail } = world;
  const random = world.random.fork('fleet');
  const tasksWanted = random.pick([1, 1, 2]);
  const tasks = new Set<Task>();
  let isClosing = false;
  let count = 0;
  const start = (): void => {
    count += 1;
    const process = createProcess(
      { ...clock, note, trouble: world.trouble },
      `listener-${count}`,
      random.between(-faults.skewMs, faults.skewMs),
    );
    const task: Task = { process, accept: null, listener: null };
    tasks.add(task);
    note(`${process.name} starts`);
    process.onDeath(() => {
      note(`${process.name} is dead`);
      tasks.delete(task);
      if (!isClosing && tasks.size < tasksWanted) clock.in(random.between(1_000, 20_000), start);
    });
    process.enter(() => {
      composeListener(world.surroundings).then(
        (listener) => {
          task.listener = listener;
          if (isClosing) stop(task);
        },
        () => process.kill(), // no configuration can be read: ECS starts another
      );
    });
  };
  const stop = (task: Task): void => {
    const { process, listener } = task;
    if (listener === null) process.kill();
    process.enter(() => {
      listener?.close(graceSeconds).then(
        () => process.kill(),
        () => process.kill(),
      );
    });
  };
  const crash = (): void => {
    const task = random.pick([...tasks]);
    if (task === undefined || !mayFail()) return;
    task.process.setFate({ at: random.between(1, 8), how: random.pick(['die-before', 'die-after']), freezeMs: 0 });
  };
  for (let n = 0; n < tasksWanted; n++) clock.in(n, start);
  for (let n = 0; n < faults.listener.crashes; n++) clock.in(random.between(1_000, 240_000), crash);
  if (faults.listener.isReplaced) {
    clock.in(random.between(5_000, 120_000), () => {
      if (isClosing) return;
      for (const task of [...tasks]) {
        start();
        stop(task);
      }
    });
  }
  return {
    reach: () => {
      const open = [...tasks].filter(({ accept, process }) => accept !== null && process.isAlive());
      if (open.length === 0) return { outcome: 'refused' };
      const { accept, process } = random.pick(open);
      return { outcome: 'open', owner: process, accept: accept! };
    },
    bind: (_, accept) => {
      const owner = currentProcess();
      for (const task of tasks) if (task.process === owner) task.accept = accept;
    },
    close: () => {
      isClosing = true;
      for (const task of [...tasks]) outside(() => stop(task));
    },
    isClosed: () => isClosing && tasks.size === 0,
  };
}
