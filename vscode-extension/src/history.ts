/** Instructions that were given before, newest first. Knows no editor. */

const MOST = 30;

export function remembered(history: readonly string[], instruction: string): string[] {
  return [instruction, ...history.filter((entry) => entry !== instruction)].slice(0, MOST);
}
