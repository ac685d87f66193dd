import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", ".test/", "wheels/", "*.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "no-console": "error",
    },
  },
  // node:test's functions return promises that the runner waits for.
  { files: ["test/**"], rules: { "@typescript-eslint/no-floating-promises": "off" } },
);
