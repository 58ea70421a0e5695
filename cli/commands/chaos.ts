// Chaos of the capture server that runs here: faults on purpose, to try senders out.
import type { z } from 'zod';
import { type Command, plain, shortTime, table } from '#cli/command.ts';
import { asking } from '#cli/ops-client.ts';
import { chaosAnswer, putChaos, showChaos } from '#ops/chaos.ts';
import { type ChaosOutcome, chaosOutcomeSchema } from '#pipeline/chaos/outcome.ts';

const answer = chaosAnswer
  .pick({ isPossible: true, words: true, from: true })
  .extend({ recent: chaosOutcomeSchema.array() });

function inForce({ isPossible, words, from }: Pick<z.output<typeof answer>, 'isPossible' | 'words' | 'from'>): string {
  if (!isPossible) return 'chaos is off: it goes with "mode": "capture" alone\n';
  const origin = from === 'set' ? 'until the server ends' : 'as the configuration says';
  return words === 'off' ? `chaos is off, ${origin}\n` : `chaos: ${plain(words)} (${origin})\n`;
}

function outcomeRow({ at, stage, why, delaySeconds, dropped, reply, recipient, reversePath, id }: ChaosOutcome) {
  const [said = ''] = /^\d{3}(?: \d\.\d+\.\d+)?/.exec(reply ?? '') ?? [];
  const what = dropped ? 'dropped' : reply === null ? 'went on' : said;
  const address = recipient ?? (reversePath === null ? '-' : `from <${reversePath}>`);
  return [shortTime(at), stage, delaySeconds > 0 ? `${what} after ${delaySeconds} s` : what, address, id ?? '-', why];
}

const show = asking({
  name: 'chaos',
  usage: '[options]',
  about: 'show the faults that the capture server makes on purpose, and what it did lately',
  asks: showChaos,
  isOnAws: false,
  options: { limit: { value: 'N', about: 'at most so many of what it did (default 20)' } },
  defaults: { limit: '20' },
  reads: answer,
  shows: (now, { columns }) => {
    if (now.recent.length === 0) return inForce(now);
    return `${inForce(now)}\n${table(['TIME', 'STAGE', 'WHAT', 'RECIPIENT', 'GOT IN AS', 'WHY'], now.recent.map(outcomeRow), columns)}`;
  },
});

const set = asking({
  name: 'chaos set',
  usage: 'on | FAULT… [options]',
  about:
    'make faults on purpose: rcpt-451-10% slow-5s-data drop-connect-5% seed-7, and what addresses ask for (docs/chaos.md)',
  takes: [1, 50],
  asks: putChaos,
  isOnAws: false,
  body: ({ positionals }) => ({ words: positionals.join(' ') }),
  reads: answer,
  shows: inForce,
});

const off = asking({
  name: 'chaos off',
  usage: '[options]',
  about: 'make no faults any more',
  takes: [0, 0],
  asks: putChaos,
  isOnAws: false,
  body: () => ({ settings: null }),
  reads: answer,
  shows: inForce,
});

/** In the order of the help. */
export const chaosCommands: readonly Command[] = [show, set, off];
