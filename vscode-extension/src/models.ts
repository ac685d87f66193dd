/** What `lintseq-lsp model list --json` answers. Knows no editor. */

export interface Model {
  name: string;
  /** The file; null for one that is not here. */
  path: string | null;
  description: string;
  /** Why it cannot be used. */
  problem: string;
}

/** The models that can be used as they are; none where there is no answer. */
export function modelsHere(answer: string): Model[] {
  try {
    return (JSON.parse(answer) as Model[]).filter(({ path, problem }) => path && !problem);
  } catch {
    return [];
  }
}
