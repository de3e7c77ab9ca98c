import type { Words } from './zh-CN'
import { useLocalStorage } from '@vueuse/core'
import { watchEffect } from 'vue'
import { createI18n } from 'vue-i18n'
import { en } from './en'
import { zhCN } from './zh-CN'

export type Language = 'zh-CN' | 'en'

const remembered = useLocalStorage<Language>('tongke.language', 'zh-CN')

export const i18n = createI18n<[Words], Language, false>({
  legacy: false,
  locale: remembered.value,
  fallbackLocale: 'zh-CN',
  messages: { 'zh-CN': zhCN, en },
})

watchEffect(() => {
  const language = remembered.value === 'en' ? 'en' : 'zh-CN'
  i18n.global.locale.value = language
  document.documentElement.lang = language
})

export function switchLanguage(): void {
  remembered.value = remembered.value === 'en' ? 'zh-CN' : 'en'
}
