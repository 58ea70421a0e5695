// `npm run docs:picture`: takes the picture of README.md.
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { picture, withPictureScene } from './picture-scene.ts';

const mostBytes = 200_000;

await withPictureScene(async (tab) => {
  const { data } = await tab.send('Page.captureScreenshot', { format: 'webp', quality: 90 });
  writeFileSync(picture, Buffer.from(data, 'base64'));
});
const { size: bytes } = statSync(picture);
assert.ok(bytes < mostBytes, `${bytes} bytes`);
console.log(`docs/console.webp: ${bytes} bytes`);
