// Drives one session: what the peer sends goes to the conversation, what that answers goes out, in order and one at a time.
// Every throw becomes `451 4.3.0`, time is kept, and a listener that closes down lets messages on their way come to an end.
import { replies } from '#mail/smtp/replies.ts';
import type { Reply } from '#mail/smtp/reply.ts';
import type { Log } from '#pipeline/contract/ports.ts';
import { createInputReader, type InputReader, type MessageSink } from './input-reader.ts';
import { createPace, type PaceKeeper } from './pace.ts';
import type { Conversation, MessageReceiver, Step, TlsFacts } from './step.ts';

const maxAnswerBytes = 12_290; // RFC 4954 §4: the answer to a prompt of AUTH has 12,288 octets, whatever a command may have

export type Transport = {
  readonly say: (reply: Reply) => void;
  /** Sends what was said now, not with the next replies. */
  readonly flush: () => void;
  /** A promise if the peer does not read its replies: then no more of its commands are read either. */
  readonly drained: () => Promise<void> | undefined;
  readonly close: () => void;
  readonly isClosing: () => boolean;
  readonly startTls: () => void;
  readonly reader: () => InputReader | null;
  readonly isDraining: () => boolean;
  readonly log: Log;
  /** A command was refused by a fault of ours. */
  readonly onFault: () => void;
};

export type SessionDriver = {
  readonly greet: () => void;
  readonly createReader: () => InputReader;
  readonly secured: (tls: TlsFacts) => void;
  /** Sends the reply and closes the connection. */
  readonly close: (reply: Reply) => void;
  /** The connection is closed or closing. */
  readonly closed: () => void;
  /** Closes the connection, with a reply that says why, if the peer has used up its time. */
  readonly checkPace: () => void;
  readonly sinceTurnMs: () => number;
  /** Ends the session: at once if it is idle, else after its message. */
  readonly drain: () => void;
};

type State = {
  readonly transport: Transport;
  readonly conversation: Conversation;
  readonly pace: PaceKeeper;
  prompt: ((line: string) => Step | Promise<Step>) | null;
  isInMessage: boolean;
  /** The message is whole and its outcome not known yet: the connection is not closed now. */
  isEnding: boolean;
  /** The peer waits for us: its time does not run. */
  isWorking: boolean;
};

/** Begins a session; it is silent until `greet`. */
export function driveSession(transport: Transport, conversation: Conversation): SessionDriver {
  const pace = createPace(() => performance.now());
  const state: State = {
    transport,
    conversation,
    pace,
    prompt: null,
    isInMessage: false,
    isEnding: false,
    isWorking: false,
  };
  return {
    greet: () => void settle(state, () => conversation.greet()),
    createReader: () =>
      createInputReader(() => longestLine(state), {
        line: (bytes) => takeLine(state, bytes),
        overlongLine() {
          const isAnswer = state.prompt !== null;
          state.prompt = null; // an exchange ends with it (RFC 4954 §4)
          return settle(state, () => conversation.overlongLine(isAnswer));
        },
      }),
    secured(tls) {
      conversation.secured(tls);
      pace.turn();
    },
    close: (reply) => close(state, reply),
    closed: conversation.closed,
    checkPace: () => checkPace(state),
    sinceTurnMs: pace.sinceTurnMs,
    drain: () => drain(state),
  };
}

function longestLine({ conversation, prompt }: State): number {
  return prompt === null ? conversation.maxLineBytes() : Math.max(conversation.maxLineBytes(), maxAnswerBytes);
}

function takeLine(state: State, bytes: Buffer): Promise<void> | undefined {
  const { prompt } = state;
  if (prompt === null) return settle(state, () => state.conversation.command(bytes));
  state.prompt = null;
  return settle(state, () => prompt(bytes.toString('latin1')));
}

/** Runs a piece of the conversation and performs the step it answers. If it throws, that is a fault of ours: 451. */
function settle(state: State, work: () => Step | Promise<Step>): Promise<void> | undefined {
  if (state.transport.isDraining() && !state.isInMessage) {
    close(state, replies.shuttingDown);
    return undefined;
  }
  let step: Step | Promise<Step>;
  try {
    step = work();
  } catch (error) {
    return perform(state, fault(state, error));
  }
  if (!(step instanceof Promise)) return perform(state, step);
  state.isWorking = true;
  return step
    .catch((error: unknown) => fault(state, error))
    .then((settled) => {
      state.isWorking = false;
      const performed = perform(state, settled);
      if (state.transport.isDraining()) drain(state);
      return performed;
    });
}

function fault({ transport }: State, error: unknown): Step {
  transport.onFault();
  transport.log.error('smtp-fault', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  return { step: 'reply', reply: replies.platformFault };
}

function perform(state: State, step: Step): Promise<void> | undefined {
  const { transport, pace } = state;
  pace.turn();
  switch (step.step) {
    case 'reply':
      transport.say(step.reply);
      return transport.drained();
    case 'close':
      close(state, step.reply);
      return undefined;
    case 'drop':
      hangUp(state);
      return undefined;
    case 'prompt':
      state.prompt = step.next;
      transport.say(step.reply);
      return transport.drained();
    case 'data':
      transport.reader()?.startData(sinkFor(state, step.receiver));
      transport.say(step.reply);
      return transport.drained();
    case 'chunk': {
      const sink = sinkFor(state, step.receiver);
      if (step.bytes === 0) return sink.end();
      transport.reader()?.startChunk(step.bytes, sink);
      return undefined;
    }
    case 'startTls':
      transport.say(step.reply);
      transport.flush();
      transport.reader()?.close(); // what came in clear behind the command is never seen (RFC 3207)
      transport.startTls();
      return undefined;
  }
}

/** A receiver that throws is a fault of ours: the rest is thrown away, and 451 is said at the end. */
function sinkFor(state: State, receiver: MessageReceiver): MessageSink {
  state.isInMessage = true;
  state.pace.messageBegins();
  let broken: Step | null = null;
  const failed = (error: unknown) => {
    broken = fault(state, error);
    state.conversation.closed();
  };
  return {
    write(chunk) {
      state.pace.messageBytes(chunk.length);
      if (broken !== null) return undefined;
      try {
        return waitWith(state, receiver.write(chunk)?.catch(failed));
      } catch (error) {
        failed(error);
        return undefined;
      }
    },
    end() {
      state.isEnding = true;
      state.transport.flush(); // storing takes a while; what was said before must not wait for it
      const performed = settle(state, () => broken ?? receiver.end());
      if (performed === undefined) messageEnds(state);
      return performed?.then(() => messageEnds(state));
    },
  };
}

function waitWith(state: State, wait: Promise<void> | undefined): Promise<void> | undefined {
  if (wait === undefined) return undefined;
  state.isWorking = true;
  return wait.then(() => {
    state.isWorking = false;
    state.pace.messageBegins();
  });
}

function messageEnds(state: State): void {
  state.isInMessage = false;
  state.isEnding = false;
  if (state.transport.isDraining()) drain(state);
}

function drain(state: State): void {
  if (!state.isInMessage && !state.isWorking) close(state, replies.shuttingDown);
}

function checkPace(state: State): void {
  if (state.transport.isClosing() || state.isEnding) return;
  const dismissal = state.isInMessage || !state.isWorking ? state.conversation.dismissal() : null;
  if (dismissal !== null) close(state, dismissal);
  if (state.isWorking || dismissal !== null) return;
  const verdict = state.pace.judge({ ...state.conversation.pace(), isInMessage: state.isInMessage });
  if (verdict !== null) close(state, verdict);
}

function close(state: State, reply: Reply): void {
  if (state.transport.isClosing()) return;
  state.transport.say(reply);
  hangUp(state);
}

/** What was said before still goes out. */
function hangUp({ transport }: State): void {
  if (transport.isClosing()) return;
  transport.flush();
  transport.close();
}
