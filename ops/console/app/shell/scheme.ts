// Light or dark: as the system has it, or as it was chosen in this browser.
import { effect, signal } from '@preact/signals';

const key = 'pillarbox-scheme';
const schemes = ['auto', 'light', 'dark'] as const;
type Scheme = (typeof schemes)[number];

const stored = localStorage.getItem(key);
export const scheme = signal<Scheme>(schemes.find((one) => one === stored) ?? 'auto');

/** Applies what was chosen, and what will be. */
export function followScheme(): void {
  effect(() => {
    document.documentElement.style.colorScheme = scheme.value === 'auto' ? '' : scheme.value;
  });
}

/** The next of automatic, light, dark. */
export function changeScheme(): void {
  scheme.value = schemes[(schemes.indexOf(scheme.value) + 1) % schemes.length] ?? 'auto';
  localStorage.setItem(key, scheme.value);
}
