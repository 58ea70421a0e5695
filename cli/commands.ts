// All commands, in the order `pillarbox --help` shows them.
import type { Command } from './command.ts';
import { backup, restore } from './commands/backup.ts';
import { check } from './commands/check.ts';
import { deliveries } from './commands/deliveries.ts';
import { dkimNew } from './commands/dkim-new.ts';
import { init } from './commands/init.ts';
import { list } from './commands/list.ts';
import { purge, queues, redrive } from './commands/queues.ts';
import { replay } from './commands/replay.ts';
import { retry } from './commands/retry.ts';
import { send } from './commands/send.ts';
import { show } from './commands/show.ts';
import { suppressions, suppressionsAdd, suppressionsRemove } from './commands/suppressions.ts';
import { trace } from './commands/trace.ts';
import { userAdd } from './commands/user-add.ts';

/** See the file's head. */
export const commands: readonly Command[] = [
  init,
  check,
  userAdd,
  dkimNew,
  send,
  list,
  show,
  trace,
  replay,
  queues,
  redrive,
  purge,
  deliveries,
  retry,
  suppressionsAdd,
  suppressionsRemove,
  suppressions,
  backup,
  restore,
];
