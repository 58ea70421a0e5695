// What was found out about the sender of a message, and what happened to it since.
import { z } from 'zod';
import { isCliError } from '#cli/command.ts';
import type { AskMail } from '#cli/mcp/ask-mail.ts';
import type { MailPart } from '#cli/mcp/fence.ts';
import { type Mail, mailSchema } from '#cli/mcp/mail-content.ts';
import { inputs, mailOutput, mailTool, outputs } from '#cli/mcp/mail-tool.ts';
import { linesWithin, oneLine } from '#cli/mcp/readable.ts';
import { type Check, checksOf, headline } from '#ops/content/verdict-words.ts';

const { id } = inputs;
const lines = z.array(z.string()).readonly();
const room = { checks: 8_000, events: 16_000, where: 4_000 };

/** The answer of the trace, as far as it is told. */
const traceSchema = z.object({
  events: z.array(z.object({ at: z.string(), text: z.string() })),
  where: z.array(z.string()),
  notes: z.array(z.string()).default([]),
});

export const explainMessage = mailTool({
  name: 'explain_message',
  title: 'Explain what happened to a message',
  about:
    'Says whether the sender of a message is proven (SPF, DKIM, DMARC, ARC) and by which DNS records, why it is in quarantine if it is, and all ' +
    'that happened to it: received, judged, stored, each attempt to deliver it and what the other server said, and where it is now.',
  input: z.strictObject({ id }),
  output: mailOutput(
    { id: outputs.id, isInMailbox: z.boolean().describe('If not, there are no verdicts.') },
    {
      verdict: lines.describe('Whether the sender is proven, and what the policy made of it.'),
      checks: lines.describe('Each check, below it the DNS records that it went by.'),
      events: lines.describe('What happened, with its time.'),
      where: lines.describe('Where it is now.'),
    },
  ),
  run: async (ask, { id: message }) => {
    const [trace, mail] = await Promise.all([
      ask.json(traceSchema, { path: `/api/messages/${message}/trace` }),
      storedMail(ask, message),
    ]);
    const events = linesWithin(
      trace.events.map(({ at, text }) => `${oneLine(at, 30)} ${oneLine(text, 600)}`),
      room.events,
    );
    const where = linesWithin(
      trace.where.map((place) => oneLine(place, 600)),
      room.where,
    );
    const parts = mail === null ? [] : verdictParts(mail);
    const notes = trace.notes.map((note) => oneLine(note, 600));
    const whereText = [where.text, ...notes].join('\n');
    return {
      head: [`Message ${message.toUpperCase()}.`],
      mail: [...parts, { name: 'what happened', text: events.text }, { name: 'where it is now', text: whereText }],
      notes: [
        ...(mail === null ? ['It is in no mailbox here, so there are no verdicts to explain.'] : []),
        ...(events.left + where.left === 0 ? [] : [`${events.left} events and ${where.left} places are left out.`]),
      ],
      data: {
        id: message.toUpperCase(),
        isInMailbox: mail !== null,
        untrusted: {
          verdict: linesOf(parts[0]?.text),
          checks: linesOf(parts[1]?.text),
          events: linesOf(events.text),
          where: linesOf(whereText),
        },
      },
    };
  },
});

function linesOf(text = ''): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** Null if it is in no mailbox: it is only sent, or not yet judged. */
async function storedMail(ask: AskMail, message: string): Promise<Mail | null> {
  try {
    return await ask.json(mailSchema, { path: `/api/messages/${message}` });
  } catch (thrown) {
    if (isCliError(thrown) && /^not-(?:found|in-a-mailbox)$/.test(thrown.code)) return null;
    throw thrown;
  }
}

function verdictParts(mail: Mail): readonly MailPart[] {
  const { text, why } = headline(mail);
  const { action, reason } = mail.disposition;
  const lines = checksOf(mail.authentication).flatMap(checkLines);
  return [
    {
      name: 'verdict',
      text: [`${oneLine(text)}: ${oneLine(why)}`, `Policy: ${action}: ${oneLine(reason)}`].join('\n'),
    },
    { name: 'checks', text: linesWithin(lines, room.checks).text },
  ];
}

function checkLines({ name, question, result, domain, reason, records }: Check): readonly string[] {
  return [
    `${name} (${oneLine(question)}): ${result}${domain === null ? '' : ` for ${oneLine(domain)}`}: ${oneLine(reason)}`,
    ...records.map((record) => `  DNS: ${oneLine(record.name)} ${record.type}: ${oneLine(record.text, 400)}`),
  ];
}
