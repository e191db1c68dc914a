# Read in place of ~/.bashrc by a shell in an AiCockpit terminal: first what bash reads by itself, then marks around
# prompts (OSC 133) and the directory (OSC 7).
if [ -r /etc/bash.bashrc ]; then . /etc/bash.bashrc; fi
if [ -r ~/.bashrc ]; then . ~/.bashrc; fi

__aicockpit_before_prompt() {
  local status=$?
  printf '\e]133;D;%s\a' "$status"
  return "$status"
}

__aicockpit_directory() {
  local LC_ALL=C text=$PWD escaped='' index character
  if [[ $text == *[!a-zA-Z0-9/._~-]* ]]; then
    for ((index = 0; index < ${#text}; index++)); do
      character=${text:index:1}
      case $character in
        [a-zA-Z0-9/._~-]) escaped+=$character ;;
        *) printf -v character '%%%02X' "'$character"; escaped+=%${character: -2} ;;
      esac
    done
    text=$escaped
  fi
  printf '\e]7;file://%s\a' "$text"
}

__aicockpit_after_prompt() {
  local status=$?
  __aicockpit_directory
  case $PS1 in
    *'133;A'*) ;;
    *) PS1='\[\e]133;A\a\]'"$PS1"'\[\e]133;B\a\]' ;;
  esac
  case $PS0 in
    *'133;C'*) ;;
    *) PS0="$PS0"'\e]133;C\a' ;;
  esac
  return "$status"
}

if [[ "$(declare -p PROMPT_COMMAND 2>/dev/null)" == 'declare -a'* ]]; then
  PROMPT_COMMAND=(__aicockpit_before_prompt "${PROMPT_COMMAND[@]}" __aicockpit_after_prompt)
else
  PROMPT_COMMAND="__aicockpit_before_prompt${PROMPT_COMMAND:+
$PROMPT_COMMAND}
__aicockpit_after_prompt"
fi
