# Read by zsh in an AiCockpit terminal through ZDOTDIR: gives the user's own start files their place back, then marks
# prompts (OSC 133) and the directory (OSC 7).
if [[ -n ${AICOCKPIT_ZDOTDIR+x} ]]; then
  export ZDOTDIR=$AICOCKPIT_ZDOTDIR
  unset AICOCKPIT_ZDOTDIR
else
  unset ZDOTDIR
fi
if [[ -r ${ZDOTDIR:-$HOME}/.zshenv ]]; then source "${ZDOTDIR:-$HOME}/.zshenv"; fi

if [[ -o interactive ]]; then
  __aicockpit_precmd() {
    local exit_status=$?
    print -n "\e]133;D;$exit_status\a"
    local LC_ALL=C text=$PWD escaped='' character
    for character in ${(s::)text}; do
      case $character in
        [a-zA-Z0-9/._~-]) escaped+=$character ;;
        *) escaped+=%${(l:2::0:)$(( [##16] #character ))} ;;
      esac
    done
    print -n "\e]7;file://$escaped\a"
    case $PS1 in
      *'133;A'*) ;;
      *) PS1=$'%{\e]133;A\a%}'$PS1$'%{\e]133;B\a%}' ;;
    esac
    return $exit_status
  }
  __aicockpit_preexec() { print -n '\e]133;C\a' }
  precmd_functions=(__aicockpit_precmd $precmd_functions)
  preexec_functions+=(__aicockpit_preexec)
fi
