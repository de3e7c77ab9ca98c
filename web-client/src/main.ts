import { createApp } from 'vue'
import App from './App.vue'
import { i18n } from './locale'
import { router } from './router'
import './ui/tokens.css'
import './ui/base.css'

createApp(App).use(router).use(i18n).mount('#app')
