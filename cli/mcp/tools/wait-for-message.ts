// Waits until a message is in. The server answers the moment it is; meanwhile the agent hears how long it has waited.
import { z } from 'zod';
import { isCliError } from '#cli/command.ts';
import type { AskMail } from '#cli/mcp/ask-mail.ts';
import { type Mail, mailSchema } from '#cli/mcp/mail-content.ts';
import { mailTool, type Progress, type ToolAnswer } from '#cli/mcp/mail-tool.ts';
import { type MessageData, messageOutput } from '#cli/mcp/message-data.ts';
import { tellMessage, toldUsually } from '#cli/mcp/tell-message.ts';
import { rowsText } from '#cli/mcp/tell-rows.ts';
import { listSchema, messageRow } from './list-messages.ts';

/** The server waits at most so long for one request. */
const mostAtOnceSeconds = 50;
const progressMs = 1_000;
const shownInstead = 5;

const part = (of: string) => z.string().max(500).optional().describe(`${of}, or a part of it, in any case.`);

const outputSchema = messageOutput.extend({
  wasThereBefore: z.boolean().describe('Whether it came before this call.'),
});

export const waitForMessage = mailTool({
  name: 'wait_for_message',
  title: 'Wait for a message',
  about:
    'Waits until a message that fits is in, and reads it as read_message does. A message that is there already is answered at once, the newest ' +
    'that fits: pass "after" to leave out older ones. If none comes in time, it says what is there instead.',
  input: z.strictObject({
    to: part('The address that it was sent to'),
    from: part('Its sender'),
    subject: part('Its subject'),
    q: z.string().max(500).optional().describe('A search, as in list_messages.'),
    after: z
      .string()
      .max(100)
      .optional()
      .describe('Only what came at this time or later (ISO 8601, as in 2026-11-21T12:00:00Z).'),
    timeout: z.number().min(0).max(300).default(30).describe('Seconds to wait at most.'),
  }),
  output: outputSchema,
  run: async (ask, { timeout, ...wanted }, progress) => {
    const stop = tellProgress(progress, timeout);
    try {
      return await wait(ask, wanted, timeout);
    } finally {
      stop();
    }
  },
});

type Waited = MessageData & { readonly wasThereBefore: boolean };
type Wanted = Readonly<Record<string, string | undefined>>;

async function wait(ask: AskMail, wanted: Wanted, timeout: number): Promise<ToolAnswer<Waited>> {
  const [started, end] = [Date.now(), performance.now() + timeout * 1_000];
  for (let left = timeout; ; left = (end - performance.now()) / 1_000) {
    const seconds = Math.min(Math.max(left, 0), mostAtOnceSeconds);
    try {
      const query = { ...wanted, timeout: seconds.toFixed(3) };
      const timeoutMs = (seconds + 20) * 1_000;
      const mail = await ask.json(mailSchema, { path: '/api/messages/wait', query, timeoutMs });
      const told = await tellMessage(ask, mail, toldUsually);
      const older = olderNote(mail, started);
      const data = { ...told.data, wasThereBefore: older.length > 0 };
      return { ...told, notes: [...(told.notes ?? []), ...older], data };
    } catch (thrown) {
      if (!isCliError(thrown) || thrown.code !== 'timeout') throw thrown;
    }
    if (left <= mostAtOnceSeconds) return nothingCame(ask, timeout);
  }
}

/** An agent that waits for what its app sends now must not take an older mail for it. */
function olderNote({ receivedAt }: Mail, started: number): readonly string[] {
  const received = Date.parse(receivedAt);
  if (received >= started) return [];
  const next = new Date(received + 1).toISOString();
  return [
    `It was there before you asked. To wait for a newer one, call wait_for_message with the same and after ${next}`,
  ];
}

async function nothingCame(ask: AskMail, timeout: number): Promise<ToolAnswer<Waited>> {
  const { messages } = await ask.json(listSchema, { path: '/api/messages', query: { limit: shownInstead } });
  const none = `No message that fits came within ${timeout} s.`;
  if (messages.length === 0) {
    const why = `There is no mail at all: does the app send to the SMTP port of this server ("${ask.self}" prints it)?`;
    return { isError: true, head: [none, why], mail: [] };
  }
  return {
    isError: true,
    head: [none, 'These are the newest that are there, whether or not they came meanwhile:'],
    mail: [{ name: 'messages', text: rowsText(messages.map(messageRow)) }],
  };
}

function tellProgress(progress: Progress, timeout: number): () => void {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += progressMs / 1_000;
    if (seconds < timeout) progress(seconds, timeout, `no such message yet, after ${seconds} of ${timeout} s`);
  }, progressMs);
  return () => clearInterval(timer);
}
