// All commands, in the order `pillarbox --help` shows them.

import { backup, restore } from '#cli/commands/backup.ts';
import { check } from '#cli/commands/check.ts';
import { deliveries, retry } from '#cli/commands/deliveries.ts';
import { dkimNew } from '#cli/commands/dkim-new.ts';
import { init } from '#cli/commands/init.ts';
import { list, replay, show, trace } from '#cli/commands/messages.ts';
import { purge, queues, redrive } from '#cli/commands/queues.ts';
import { send } from '#cli/commands/send.ts';
import { suppressions, suppressionsAdd, suppressionsRemove } from '#cli/commands/suppressions.ts';
import { userAdd } from '#cli/commands/user-add.ts';
import type { Command } from './command.ts';

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
