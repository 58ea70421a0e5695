// All commands, in the order `pillarbox --help` shows them.

import { backup, restore } from '#cli/commands/backup.ts';
import { check } from '#cli/commands/check.ts';
import { deliveries } from '#cli/commands/deliveries.ts';
import { dkimNew } from '#cli/commands/dkim-new.ts';
import { init } from '#cli/commands/init.ts';
import { list } from '#cli/commands/list.ts';
import { purge, queues, redrive } from '#cli/commands/queues.ts';
import { replay } from '#cli/commands/replay.ts';
import { retry } from '#cli/commands/retry.ts';
import { send } from '#cli/commands/send.ts';
import { show } from '#cli/commands/show.ts';
import { suppressions, suppressionsAdd, suppressionsRemove } from '#cli/commands/suppressions.ts';
import { trace } from '#cli/commands/trace.ts';
import { userAdd } from '#cli/commands/user-add.ts';
import type { Command } from './command.ts';

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
