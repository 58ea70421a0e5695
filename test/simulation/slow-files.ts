// Loaded before a program (`node --import`): each file that it reads with promises takes almost half a second, as on a busy machine.
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { readFile } = files;
const realTimeout = setTimeout;
const slow = async (...request: Parameters<typeof readFile>) => {
  await new Promise((resolve) => realTimeout(resolve, 400));
  return readFile(...request);
};
Object.assign(files, { readFile: slow });
syncBuiltinESMExports();
