// What is told of stored bodies that were found missing or damaged at the start: a line of the log each, a sentence for
// `/health`.

import type { EmbeddedWorld } from '#local/embedded/open-embedded.ts';
import type { Log } from '#pipeline/contract/ports.ts';

type Found = EmbeddedWorld['bodies'];

const loggedAtMost = 1_000;

/** Names each damaged body in the log, up to a thousand, and then how many there are. */
export function logDamaged({ files, damaged, orphans }: Found, log: Pick<Log, 'error'>): void {
  for (const { key, file, damage, what } of damaged.slice(0, loggedAtMost)) {
    log.error('body-damaged', { key, file: `bodies/${file}`, damage, what });
  }
  if (damaged.length === 0) return;
  log.error('bodies-damaged', {
    damaged: damaged.length,
    files,
    withoutObject: orphans,
    advice: 'a copy made of a running service by other means than "pillarbox backup" is not whole',
  });
}

/** One sentence, or none. */
export function damagedProblems({ files, damaged }: Found): readonly string[] {
  if (damaged.length === 0) return [];
  return [
    `${damaged.length} of ${files} stored bodies that are files are missing or damaged: see the log (body-damaged), and restore a backup`,
  ];
}
