// The console as it is served: small, from here alone, under a strict policy.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { builtConsole } from '#local/console/console-files.ts';
import { createOpsApp } from '#ops/api/ops-app.ts';
import { consoleRoutes } from '#ops/console/page.ts';

const { files } = await builtConsole();
const maxGzippedBytes = 80_000;

test('all that the console is made of takes less than 80 KB gzipped', () => {
  const bytes = files.map(({ body }) => gzipSync(body).length).reduce((sum, one) => sum + one, 0);
  assert.ok(bytes > 20_000 && bytes < maxGzippedBytes, `${bytes} bytes`);
});

test('its page names files that are there, and loads nothing from elsewhere', () => {
  const page = files.find(({ name }) => name === 'index.html')?.body ?? '';
  const named = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, name]) => name);
  assert.equal(named.length, 3);
  for (const name of named)
    assert.ok(
      files.some((file) => file.name === name),
      name,
    );
  assert.doesNotMatch(page, /https?:|<style|<script>|style=/);
  const styles = files.filter(({ name }) => name.endsWith('.css')).map(({ body }) => body);
  assert.doesNotMatch(styles.join(''), /url\(|@import/);
});

test('each of its files comes with the policy; those that are named by their content may be kept', async () => {
  const routes = consoleRoutes(files);
  const app = createOpsApp({}, routes);
  for (const { at } of routes) {
    const { status, headers } = await app({ method: 'GET', url: at.replace('GET ', '') });
    assert.equal(status, 200);
    assert.match(headers['content-security-policy'] ?? '', /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.equal(headers['cache-control'] !== undefined, /-[A-Z0-9]{8}\.(js|css)$/.test(at), at);
  }
});

test('the licences of all that is in the bundle come with it', () => {
  const text = files.find(({ name }) => name === 'licences.txt')?.body ?? '';
  for (const name of ['preact', '@preact/signals', '@preact/signals-core', 'uplot', 'lucide-preact', 'caniemail']) {
    assert.match(text, new RegExp(`^${name}\n`, 'm'));
  }
});

test('nothing in its source makes markup or code of a text', async () => {
  for await (const file of glob('ops/console/app/**/*.{ts,tsx}')) {
    assert.doesNotMatch(
      readFileSync(file, 'utf8'),
      /innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/i,
      file,
    );
  }
});
