import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

const surfaces = ['account', 'audit', 'classroom', 'dispatch', 'lesson', 'library', 'organisation', 'replay', 'report', 'retention', 'teacher', 'timetable', 'watch']

export default ts.config(
  { ignores: ['dist/', 'src/api/schema.ts'] },
  ...ts.configs.recommended,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  {
    rules: {
      // What the hub leaves out and what it says is null are the same to a page.
      'eqeqeq': ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-undef': 'off',
      'prefer-const': 'error',
      'semi': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/no-v-html': 'error',
      'vue/multi-word-component-names': 'off',
    },
  },
  // These print the figures that they measure.
  { files: ['e2e/**', '*.mjs'], rules: { 'no-console': 'off' } },
  // One surface never reaches into another: what two of them need stands in a room below them: lesson-ui, calendar, console, live, playback, media, ui, api or locale.
  ...surfaces.map(surface => ({
    files: [`src/${surface}/**`],
    rules: {
      'no-restricted-imports': ['error', {
        patterns: surfaces.filter(other => other !== surface).map(other => ({
          group: [`**/${other}/*`], message: 'Surfaces do not import each other.',
        })),
      }],
    },
  })),
  // A test against real browsers prints the figures that it saw.
  { files: ['e2e/**'], rules: { 'no-console': 'off' } },
  // Plain classes talk to the browser; they know nothing of Vue.
  {
    files: ['src/media/**'],
    rules: { 'no-restricted-imports': ['error', { paths: ['vue', '@vueuse/core', 'vue-i18n'] }] },
  },
)
