// All commands, in the order `pillarbox --help` shows them.
import { backup, restore } from '#cli/commands/backup.ts';
import { check } from '#cli/commands/check.ts';
import { configCommands } from '#cli/commands/config.ts';
import { deliveryCommands } from '#cli/commands/deliveries.ts';
import { dkimNew } from '#cli/commands/dkim-new.ts';
import { init } from '#cli/commands/init.ts';
import { messageCommands } from '#cli/commands/messages.ts';
import { queueCommands } from '#cli/commands/queues.ts';
import { send } from '#cli/commands/send.ts';
import { suppressionCommands } from '#cli/commands/suppressions.ts';
import { userAdd } from '#cli/commands/user-add.ts';
import type { Command } from './command.ts';

export const commands: readonly Command[] = [
  init,
  check,
  userAdd,
  dkimNew,
  ...configCommands,
  send,
  ...messageCommands,
  ...queueCommands,
  ...deliveryCommands,
  ...suppressionCommands,
  backup,
  restore,
];
